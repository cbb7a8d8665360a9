/** Sound that carries a copy of itself: each packet repeats the one before, so that a lost one is not missed. */

const AUDIO_TYPES = /^(m=audio \d+ \S+) (.*)$/m;
const RED = /^a=rtpmap:(\d+) red\/48000/im;

/**
 * Send with copies or without, from the next packet on. Of the types in an answer a browser sends the first,
 * so this gives it the server's answer again in another order; the server takes both and need not be asked.
 * @param {RTCPeerConnection} peer
 * @param {boolean} on
 */
export async function setCopies(peer, on) {
  const sdp = inOrder(peer.remoteDescription?.sdp ?? "", on);
  if (!sdp || peer.signalingState !== "stable") return;
  try {
    await peer.setLocalDescription(await peer.createOffer());
    await peer.setRemoteDescription({ type: "answer", sdp });
  } catch (error) {
    console.warn("copies", error); // ICE was restarted in between: the call goes on as it is
  }
}

/**
 * The answer with the copies' type first or last; "" if it has none.
 * @param {string} sdp
 * @param {boolean} copiesFirst
 */
function inOrder(sdp, copiesFirst) {
  const red = RED.exec(sdp)?.[1];
  if (!red) return "";
  return sdp.replace(AUDIO_TYPES, (_, line, types) => {
    const others = types.trim().split(" ").filter((type) => type !== red);
    return [line, ...(copiesFirst ? [red, ...others] : [...others, red])].join(" ");
  });
}
