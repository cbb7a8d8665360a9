/** STUN and TURN servers, with credentials of one's own; asked for before each call, because they expire. */

import { ICE_PATH } from "./protocol.js";

const TIMEOUT_MS = 3000;

/**
 * For RTCPeerConnection; without any where the server has none, or does not know the question.
 * @returns {Promise<RTCConfiguration>}
 */
export async function iceConfiguration() {
  try {
    const response = await fetch(ICE_PATH, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return {};
    const { iceServers, iceTransportPolicy } = await response.json();
    return { iceServers, iceTransportPolicy };
  } catch {
    return {}; // that the server is not there, the offer finds out
  }
}
