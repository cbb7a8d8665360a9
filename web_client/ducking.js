/**
 * When the agent is turned down here, in the page, because the caller seems to speak: the ear hears it before the
 * server can have heard the caller. The server decides what becomes of it. No DOM, no clock.
 */

import { Server } from "./protocol.js";
import { VoiceOnset } from "./voice-onset.js";

/** 15 dB, as much as the server's own. */
export const DUCKED_VOLUME = 10 ** (-15 / 20);
/** The server knows a voice about 100 ms after its beginning; the rest is for a slow network. */
const UNCONFIRMED_MS = 400;
/** A word of the server comes so much earlier than the sound that was changed with it, which waits in a buffer. */
const BUFFER_MS = 150;

export class Ducking {
  ducked = false;
  #onset = new VoiceOnset();
  #agentSpeaks = false;
  #playback = "full";
  #confirmed = false;
  #endsAt = 0;

  /**
   * The microphone's level, a hundred times a second.
   * @param {number} level dB of full scale
   * @param {number} now ms
   */
  hear(level, now) {
    const speaks = this.#onset.hear(level, this.#agentSpeaks);
    if (this.ducked && now >= this.#endsAt) this.#end();
    else if (!this.ducked && speaks && this.#agentSpeaks && this.#playback === "full") {
      this.ducked = true;
      this.#confirmed = false;
      this.#endsAt = now + UNCONFIRMED_MS;
    }
  }

  /**
   * @param {import("./protocol.js").WireEvent} event
   * @param {number} now ms
   */
  receive(event, now) {
    switch (event.type) {
      case Server.OUTPUT_STARTED:
        this.#agentSpeaks = true;
        break;
      case Server.OUTPUT_STOPPED:
      case Server.OUTPUT_CLEARED:
        this.#agentSpeaks = false;
        this.ducked = false;
        break;
      case Server.PLAYBACK: // from now on the server turns its voice down, or up, by itself
        this.#playback = event.mode;
        this.#confirm(event.mode === "full" ? now : now + BUFFER_MS);
        break;
      case Server.SPEECH_STARTED:
        if (this.#playback === "full") this.#confirm(Infinity);
        break;
      case Server.SPEECH_STOPPED:
        if (this.#endsAt === Infinity) this.#endsAt = now + UNCONFIRMED_MS;
        break;
    }
  }

  /** @param {number} endsAt ms */
  #confirm(endsAt) {
    this.#confirmed = true;
    this.#endsAt = endsAt;
  }

  #end() {
    this.ducked = false;
    if (!this.#confirmed) this.#onset.mistaken();
  }
}
