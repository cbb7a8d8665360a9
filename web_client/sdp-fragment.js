/** ICE in pieces of SDP (RFC 8840), as the call's resource takes and gives them. */

/**
 * A trickled candidate.
 * @param {RTCIceCandidate} candidate
 */
export function candidateFragment(candidate) {
  return fragment(candidate.usernameFragment, "", candidate.sdpMid ?? "0", [`a=${candidate.candidate}`]);
}

/**
 * The new credentials of an offer that restarts ICE, and the candidates it has so far.
 * @param {string} offer
 */
export function restartFragment(offer) {
  const lines = offer.split(/\r?\n/);
  const value = (prefix) => lines.find((line) => line.startsWith(prefix))?.slice(prefix.length) ?? "";
  const candidates = new Set(lines.filter((line) => line.startsWith("a=candidate:")));
  return fragment(value("a=ice-ufrag:"), value("a=ice-pwd:"), value("a=mid:"), [...candidates]);
}

/**
 * An answer that was given before, with the server's new ICE. All sections are bundled: the first one's
 * candidates are those of all.
 * @param {string} answer
 * @param {string} text the server's fragment
 */
export function withIce(answer, text) {
  const lines = text.split(/\r?\n/);
  const credentials = ["a=ice-ufrag:", "a=ice-pwd:"];
  let candidates = lines.filter((line) => /^a=(candidate:|end-of-candidates)/.test(line));
  const renewed = answer.split(/\r?\n/).flatMap((line) => {
    if (/^a=(candidate:|end-of-candidates)/.test(line)) return [];
    const prefix = credentials.find((each) => line.startsWith(each));
    if (!prefix) return [line];
    const own = lines.find((each) => each.startsWith(prefix)) ?? line;
    if (prefix !== "a=ice-pwd:") return [own];
    const followed = [own, ...candidates];
    candidates = [];
    return followed;
  });
  return renewed.join("\r\n");
}

/**
 * @param {string | null} ufrag
 * @param {string} password
 * @param {string} mid
 * @param {string[]} candidates
 */
function fragment(ufrag, password, mid, candidates) {
  const credentials = [ufrag && `a=ice-ufrag:${ufrag}`, password && `a=ice-pwd:${password}`];
  const section = ["m=audio 9 UDP/TLS/RTP/SAVPF 0", `a=mid:${mid}`];
  return [...credentials.filter(Boolean), ...section, ...candidates, ""].join("\r\n");
}
