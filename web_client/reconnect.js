/** Another path for a call whose path is lost: ICE is restarted, again and again, until sound arrives. */

import { CallError } from "./call-error.js";
import { restartFragment, withIce } from "./sdp-fragment.js";
import { packetsReceived } from "./signal.js";

/** As long as the server waits for the caller (`reconnect_grace_s` of client.webrtc). */
const GRACE_MS = 15_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 4000;
const LOOK_MS = 100;

/**
 * Returns when packets arrive again, over the old path or a new one. Throws a CallError that says why they
 * do not.
 * @param {RTCPeerConnection} peer
 * @param {(fragment: string) => Promise<string>} patch sends a restart, returns the server's fragment; throws
 *   a CallError where the call is over
 */
export async function reconnect(peer, patch) {
  const over = new AbortController();
  const arrived = arrive(peer);
  try {
    await Promise.race([arrived, restartUntil(over.signal, peer, patch)]);
  } finally {
    over.abort();
  }
}

/**
 * Resolves with the next packets. Rejects when the grace is over.
 * @param {RTCPeerConnection} peer
 */
async function arrive(peer) {
  const before = await packetsReceived(peer);
  const deadline = performance.now() + GRACE_MS;
  while ((await packetsReceived(peer)) === before) {
    if (performance.now() > deadline || peer.connectionState === "closed") throw new CallError("lost");
    await pause(LOOK_MS);
  }
}

/**
 * Never resolves. Rejects when the call is over, or with the code "server_gone" when the grace is over and
 * nobody has answered.
 * @param {AbortSignal} over
 * @param {RTCPeerConnection} peer
 * @param {(fragment: string) => Promise<string>} patch
 */
async function restartUntil(over, peer, patch) {
  const deadline = performance.now() + GRACE_MS - LOOK_MS;
  let answered = false;
  for (let ms = FIRST_PAUSE_MS; !over.aborted; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
    try {
      await restart(peer, patch);
      answered = true;
    } catch (error) {
      if (error instanceof CallError) throw error;
      answered ||= error.name !== "TypeError" || !navigator.onLine; // a lost network is no missing server
    }
    await pause(Math.min(ms, deadline - performance.now()), over);
    if (performance.now() >= deadline && !answered) throw new CallError("server_gone");
  }
  return new Promise(() => {});
}

/**
 * @param {RTCPeerConnection} peer
 * @param {(fragment: string) => Promise<string>} patch
 */
async function restart(peer, patch) {
  await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
  const fragment = await patch(restartFragment(peer.localDescription.sdp));
  const answer = withIce(peer.currentRemoteDescription.sdp, fragment);
  await peer.setRemoteDescription({ type: "answer", sdp: answer });
}

/**
 * Wait; being online again ends it.
 * @param {number} ms
 * @param {AbortSignal} [over] ends it too
 */
function pause(ms, over) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, Math.max(0, ms));
    window.addEventListener("online", done);
    over?.addEventListener("abort", done);
    function done() {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      over?.removeEventListener("abort", done);
      resolve();
    }
  });
}
