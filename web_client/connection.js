/** One WebRTC call: the offer over HTTP, then sound and events between the browser and the server. */

import { CallError } from "./call-error.js";
import { setCopies } from "./copies.js";
import { CALLS_PATH, EVENTS_CHANNEL, FRAGMENT_TYPE, Server, parse, session } from "./protocol.js";
import { reconnect } from "./reconnect.js";
import { candidateFragment } from "./sdp-fragment.js";
import { SignalMeter, received } from "./signal.js";

const ANSWER_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 15_000;
const PATCH_TIMEOUT_MS = 5000;
const WATCH_MS = 500;
/** The server sends at least two packets a second, also while it is silent; on a train gaps of 1 s are common. */
const SILENT_MS = 2000;

/**
 * Sends "event" (detail: an event of the wire), "sound" (detail: the agent's MediaStream), "signal" (detail: a
 * Signal, once a second), "reconnecting" and "reconnected" (nothing arrives, or does again), "ended" (detail: a
 * CallError).
 */
export class Connection extends EventTarget {
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  /** @type {RTCDataChannel | null} */
  #channel = null;
  /** @type {string} the call's resource, once the server has told it */
  #location = "";
  /** @type {RTCIceCandidate[]} found before the server knows the offer, or the restart, that they belong to */
  #candidates = [];
  #offered = false;
  #signal = new SignalMeter();
  #reconnecting = false;
  #stopped = false;
  #watch = 0;

  /**
   * Place the call; returns when events can flow. Throws CallError.
   * @param {MediaStream} microphone
   * @param {string} language
   * @param {RTCConfiguration} configuration
   */
  async start(microphone, language, configuration) {
    const peer = (this.#peer = new RTCPeerConnection({ ...configuration, bundlePolicy: "max-bundle" }));
    this.#channel = peer.createDataChannel(EVENTS_CHANNEL);
    for (const track of microphone.getAudioTracks()) peer.addTrack(track, microphone);
    peer.addEventListener("track", ({ track, streams }) =>
      this.#tell("sound", streams[0] ?? new MediaStream([track])),
    );
    peer.addEventListener("icecandidate", ({ candidate }) => candidate && this.#trickle(candidate));
    this.#channel.addEventListener("message", ({ data }) => {
      const event = parse(data);
      if (event?.type === Server.REDUNDANCY && !this.#reconnecting) setCopies(peer, event.on === true);
      if (event?.type === Server.NETWORK) this.#signal.hear(event);
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
    clearInterval(this.#watch);
    window.removeEventListener("online", this.#reconnect);
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
    this.#flush();
    return response.text();
  }

  /**
   * Restart ICE on the server too; returns its fragment. Throws CallError where there is no such call any more.
   * @param {string} fragment
   */
  async #restart(fragment) {
    this.#offered = false;
    this.#candidates = []; // the fragment has those that have been found; the others follow it
    const headers = { "Content-Type": FRAGMENT_TYPE, "If-Match": "*" };
    const signal = AbortSignal.timeout(PATCH_TIMEOUT_MS);
    const response = await fetch(this.#location, { method: "PATCH", headers, body: fragment, signal });
    if (response.status === 404) throw new CallError("lost");
    if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
    this.#flush();
    return response.text();
  }

  /** The server knows what the candidates belong to. */
  #flush() {
    this.#offered = true;
    for (const candidate of this.#candidates.splice(0)) this.#trickle(candidate);
  }

  /**
   * The server's own candidates suffice to connect on most networks, so the offer does not wait for
   * ours: they follow.
   * @param {RTCIceCandidate} candidate
   */
  #trickle(candidate) {
    if (!candidate.candidate || this.#stopped) return;
    if (!this.#offered) {
      this.#candidates.push(candidate);
      return;
    }
    const headers = { "Content-Type": FRAGMENT_TYPE };
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
    channel.addEventListener("close", () => this.#end(new CallError("hung_up")));
    peer.addEventListener("iceconnectionstatechange", () => {
      if (["disconnected", "failed"].includes(peer.iceConnectionState)) this.#reconnect();
    });
    window.addEventListener("online", this.#reconnect); // another network, perhaps
    let ticks = 0;
    let packets = 0;
    let silent_ms = 0;
    this.#watch = setInterval(async () => {
      const report = await peer.getStats();
      silent_ms = received(report) === packets ? silent_ms + WATCH_MS : 0;
      packets = received(report);
      if (silent_ms >= SILENT_MS) this.#reconnect();
      if (++ticks % (1000 / WATCH_MS)) return;
      this.#signal.measure(report);
      this.#tell("signal", this.#signal.value);
    }, WATCH_MS);
  }

  /** Look for another path until sound arrives again; the call ends where there is none. */
  #reconnect = async () => {
    if (this.#reconnecting || this.#stopped) return;
    this.#reconnecting = true;
    this.#tell("reconnecting");
    try {
      await reconnect(this.#peer, (fragment) => this.#restart(fragment));
      this.#tell("reconnected");
    } catch (error) {
      this.#end(error instanceof CallError ? error : new CallError("lost", String(error)));
    }
    this.#reconnecting = false;
  };

  /** @param {CallError} error */
  #end(error) {
    if (this.#stopped) return;
    this.stop();
    this.#tell("ended", error);
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
