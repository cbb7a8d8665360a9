/** Why a call could not be made, or ended. */

/**
 * The codes are keys of `errors` in strings.js, where each has its title and what to do about it.
 * @typedef {"insecure" | "no_webrtc" | "mic_denied" | "mic_missing" | "mic_busy" | "mic_failed"
 *   | "server_unreachable" | "busy" | "refused" | "no_path" | "lost" | "server_gone" | "hung_up"} CallErrorCode
 */

export class CallError extends Error {
  /**
   * @param {CallErrorCode} code
   * @param {string} [detail] what the browser or the server said, shown as it is
   */
  constructor(code, detail = "") {
    super(detail ? `${code}: ${detail}` : code);
    this.name = "CallError";
    this.code = code;
    this.detail = detail;
  }
}
