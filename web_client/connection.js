/** One WebRTC call: the offer over HTTP, then sound and events between the browser and the server. */

import { CallError } from "./call-error.js";
import { setCopies } from "./copies.js";
import { CALLS_PATH, EVENTS_CHANNEL, HEALTH_PATH, Server, TRICKLE_TYPE } from "./protocol.js";
import { candidateFragment, parse, session } from "./protocol.js";

const ANSWER_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 15_000;
const WATCH_MS = 1000;
/** The server sends 50 packets a second, also while it is silent; gaps of a second are common on a train. */
const SILENT_S = 3;

/**
 * Sends "event" (detail: an event of the wire), "sound" (detail: the agent's MediaStream),
 * "unstable" and "stable" (nothing arrives, or does again), "ended" (detail: a CallError).
 */
export class Connection extends EventTarget {
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  /** @type {RTCDataChannel | null} */
  #channel = null;
  /** @type {string} the call's resource, once the server has told it */
  #location = "";
  /** @type {RTCIceCandidate[]} found before the resource was known */
  #candidates = [];
  #stopped = false;
  #watch = 0;

  /**
   * Place the call; returns when events can flow. Throws CallError.
   * @param {MediaStream} microphone
   * @param {string} language
   */
  async start(microphone, language) {
    const peer = (this.#peer = new RTCPeerConnection());
    this.#channel = peer.createDataChannel(EVENTS_CHANNEL);
    for (const track of microphone.getAudioTracks()) peer.addTrack(track, microphone);
    peer.addEventListener("track", ({ track, streams }) =>
      this.#tell("sound", streams[0] ?? new MediaStream([track])),
    );
    peer.addEventListener("icecandidate", ({ candidate }) => candidate && this.#trickle(candidate));
    this.#channel.addEventListener("message", ({ data }) => {
      const event = parse(data);
      if (event?.type === Server.REDUNDANCY) setCopies(peer, event.on === true);
      if (event) this.#tell("event", event);
    });
    const connected = this.#connected(peer, this.#channel);
    await peer.setLocalDescription();
    const answer = await this.#post(peer.localDescription.sdp, language);
    if (this.#stopped) return;
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    await connected;
    this.#follow(peer, this.#channel);
  }

  /** Hang up. */
  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#watch);
    this.#channel?.close();
    this.#peer?.close();
    if (this.#location) this.#delete();
  }

  /** @param {import("./protocol.js").WireEvent} event */
  send(event) {
    if (this.#channel?.readyState === "open") this.#channel.send(JSON.stringify(event));
  }

  /**
   * Send another microphone's sound from now on.
   * @param {MediaStream} microphone
   */
  async replaceMicrophone(microphone) {
    const sender = this.#peer?.getSenders().find(({ track }) => track?.kind === "audio");
    await sender?.replaceTrack(microphone.getAudioTracks()[0]);
  }

  /**
   * Send the offer, return the answer.
   * @param {string} offer
   * @param {string} language
   */
  async #post(offer, language) {
    const body = new FormData();
    body.set("sdp", offer);
    body.set("session", JSON.stringify(session(language)));
    let response;
    try {
      response = await fetch(CALLS_PATH, {
        method: "POST",
        body,
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
    } catch (error) {
      throw new CallError("server_unreachable", error.name === "TimeoutError" ? error.message : "");
    }
    if (!response.ok) throw await refusal(response);
    this.#location = new URL(response.headers.get("Location") ?? "", response.url).href;
    if (this.#stopped) this.#delete(); // hung up while the server was answering
    for (const candidate of this.#candidates.splice(0)) this.#trickle(candidate);
    return response.text();
  }

  /**
   * The server's own candidates suffice to connect on most networks, so the offer does not wait for
   * ours: they follow.
   * @param {RTCIceCandidate} candidate
   */
  #trickle(candidate) {
    if (!candidate.candidate || this.#stopped) return;
    if (!this.#location) {
      this.#candidates.push(candidate);
      return;
    }
    const headers = { "Content-Type": TRICKLE_TYPE };
    const request = { method: "PATCH", headers, body: candidateFragment(candidate) };
    fetch(this.#location, request).catch(() => {}); // one way less to connect; others may do
  }

  #delete() {
    fetch(this.#location, { method: "DELETE", keepalive: true }).catch(() => {}); // it times out there
  }

  /**
   * Resolves when events can flow. Rejects with CallError.
   * @param {RTCPeerConnection} peer
   * @param {RTCDataChannel} channel
   */
  #connected(peer, channel) {
    const connected = new Promise((resolve, reject) => {
      const failed = () => reject(new CallError("no_path"));
      channel.addEventListener("open", resolve, { once: true });
      channel.addEventListener("close", failed, { once: true });
      peer.addEventListener("connectionstatechange", () => peer.connectionState === "failed" && failed());
      setTimeout(failed, ANSWER_TIMEOUT_MS + CONNECT_TIMEOUT_MS);
    });
    connected.catch(() => {}); // it may fail before anyone waits for it
    return connected;
  }

  /**
   * Watch a call that is up until it ends.
   * @param {RTCPeerConnection} peer
   * @param {RTCDataChannel} channel
   */
  #follow(peer, channel) {
    if (this.#stopped) return;
    channel.addEventListener("close", () => this.#end("hung_up"));
    peer.addEventListener("connectionstatechange", () => {
      if (peer.connectionState === "failed") this.#end("lost");
    });
    let packets = 0;
    let silent_s = 0;
    const check = async () => {
      const now = await packetsReceived(peer);
      const wasSilent = silent_s >= SILENT_S;
      silent_s = now === packets ? silent_s + WATCH_MS / 1000 : 0;
      packets = now;
      if (silent_s >= SILENT_S && !wasSilent) this.#tell("unstable");
      if (silent_s < SILENT_S && wasSilent) this.#tell("stable");
      if (silent_s >= SILENT_S && !(await serverThere())) this.#end("server_gone");
      if (!this.#stopped) this.#watch = setTimeout(check, WATCH_MS);
    };
    this.#watch = setTimeout(check, WATCH_MS);
  }

  /** @param {import("./call-error.js").CallErrorCode} code */
  #end(code) {
    if (this.#stopped) return;
    this.stop();
    this.#tell("ended", new CallError(code));
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    if (!this.#stopped || type === "ended") this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * Whether this browser can make a call at all. Throws CallError.
 */
export function checkBrowser() {
  if (!window.isSecureContext) throw new CallError("insecure");
  if (!window.RTCPeerConnection || !navigator.mediaDevices?.getUserMedia) throw new CallError("no_webrtc");
}

/** @param {Response} response */
async function refusal(response) {
  let message = `HTTP ${response.status}`;
  let code = "";
  try {
    ({ message, code } = (await response.json()).error);
  } catch {
    // an answer that is not the server's own, from a proxy perhaps
  }
  return new CallError(code === "busy" ? "busy" : "refused", message);
}

/** @param {RTCPeerConnection} peer */
async function packetsReceived(peer) {
  let packets = 0;
  for (const report of (await peer.getStats()).values()) {
    if (report.type === "inbound-rtp") packets += report.packetsReceived;
  }
  return packets;
}

async function serverThere() {
  try {
    await fetch(HEALTH_PATH, { cache: "no-store", signal: AbortSignal.timeout(4 * WATCH_MS) });
    return true;
  } catch (error) {
    return error.name === "TimeoutError"; // a slow network is not a missing server
  }
}
