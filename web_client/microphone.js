/** The caller's microphone. */

import { CallError } from "./call-error.js";

/** Browser errors of getUserMedia, https://www.w3.org/TR/mediacapture-streams/#dom-mediadevices-getusermedia */
const CODES = {
  NotAllowedError: "mic_denied",
  SecurityError: "mic_denied",
  NotFoundError: "mic_missing",
  OverconstrainedError: "mic_missing",
  NotReadableError: "mic_busy",
  AbortError: "mic_failed",
};

/** Sends "lost" when the device is unplugged or taken away. */
export class Microphone extends EventTarget {
  /** @type {MediaStream | null} */
  stream = null;
  #muted = false;

  /**
   * Open the microphone, instead of the one that is open. Throws CallError.
   * @param {string} [deviceId] "" is the system's choice; one that is gone falls back to it
   * @returns {Promise<MediaStream>}
   */
  async start(deviceId = "") {
    const stream = await open(deviceId);
    this.stop();
    this.stream = stream;
    const [track] = stream.getAudioTracks();
    track.enabled = !this.#muted;
    // `ended` fires when the device goes, not when stop() is called.
    track.addEventListener("ended", () => this.dispatchEvent(new Event("lost")));
    return stream;
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  }

  get muted() {
    return this.#muted;
  }

  /** Muted, the track sends silence; nothing of the room leaves the browser. */
  set muted(value) {
    this.#muted = value;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !value;
  }

  get deviceId() {
    return this.stream?.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }
}

/**
 * The microphones whose names the browser tells: none before the caller has given permission.
 * @returns {Promise<MediaDeviceInfo[]>}
 */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "audioinput" && device.label);
}

/** @param {string} deviceId */
async function open(deviceId) {
  const processing = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: deviceId ? { ...processing, deviceId: { exact: deviceId } } : processing,
    });
  } catch (error) {
    const code = CODES[error.name] ?? "mic_failed";
    if (deviceId && code === "mic_missing") return open("");
    throw new CallError(code, code === "mic_failed" ? `${error.name}: ${error.message}` : "");
  }
}
