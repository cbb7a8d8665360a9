/** Who has the floor, derived from events. No DOM. */

import { Server } from "./protocol.js";

/** @typedef {"listening" | "you" | "thinking" | "speaking" | "ducked" | "paused" | "hold"} Turn */

export class TurnState {
  #callerSpeaks = false;
  #agentSpeaks = false;
  #playback = "full";
  #thinks = false;
  #holds = false;

  /** @returns {Turn} */
  get value() {
    if (this.#agentSpeaks && this.#playback !== "full") return this.#playback; // it is not sure who has the floor
    if (this.#callerSpeaks) return "you";
    if (this.#agentSpeaks) return "speaking";
    if (this.#holds) return "hold"; // a turn that the agent deliberately leaves unanswered is no thinking
    return this.#thinks ? "thinking" : "listening";
  }

  /** @param {import("./protocol.js").WireEvent} event */
  receive(event) {
    switch (event.type) {
      case Server.SPEECH_STARTED:
        this.#callerSpeaks = true;
        break;
      case Server.SPEECH_STOPPED:
        this.#callerSpeaks = false;
        break;
      case Server.RESPONSE_CREATED:
        this.#thinks = true;
        break;
      case Server.OUTPUT_STARTED:
        this.#agentSpeaks = true;
        this.#thinks = false;
        break;
      case Server.OUTPUT_STOPPED:
      case Server.OUTPUT_CLEARED:
        this.#agentSpeaks = false;
        break;
      case Server.RESPONSE_DONE:
      case Server.ERROR:
        this.#thinks = false;
        break;
      case Server.PLAYBACK:
        this.#playback = event.mode;
        break;
      case Server.HOLD:
        this.#holds = event.on;
        break;
    }
  }
}
