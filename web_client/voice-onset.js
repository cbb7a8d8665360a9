/**
 * Hears from the level of the microphone that the caller has begun to speak, while the agent may be heard in it
 * too. Quicker than the server's VAD and easier to deceive: a first guess. No DOM.
 */

/** So many levels a second are expected: a guess takes two. */
export const LEVELS_PER_S = 100;
const LOUD_LEVELS = 2; // 20 ms: a click of the mouse is shorter
/** Whoever speaks to a browser, which adjusts the gain, comes to -35..-15 dBFS; below -50 is the room. */
const LEAST_DB = -50;
const SILENCE_DB = -90;
const ABOVE_NOISE_DB = 12;
/** What the browser's echo canceller leaves of the agent's voice rises and falls less than that. */
const ABOVE_ECHO_DB = 6;
/** A canceller takes about a second to learn the room; until then, more of the agent's voice comes through. */
const ECHO_AT_FIRST_DB = -40;
const FALL = 0.2; // of the difference, by level
const RISE = 0.1;
const NOISE_RISE_DB = 1 / LEVELS_PER_S; // slow enough for sentences, which have pauses
const ECHO_FALL_DB = 6 / LEVELS_PER_S;

export class VoiceOnset {
  #noise = LEAST_DB - ABOVE_NOISE_DB;
  #echo = ECHO_AT_FIRST_DB;
  #loud = 0;
  #peak = SILENCE_DB;

  /**
   * Whether the caller is speaking, as far as a level can tell.
   * @param {number} level of the last 10 ms, in dB of full scale
   * @param {boolean} echoes whether the agent is being heard
   */
  hear(level, echoes) {
    const db = Math.max(SILENCE_DB, level);
    const loud = db > this.#threshold(echoes);
    this.#loud = loud ? this.#loud + 1 : 0;
    this.#peak = loud ? Math.max(this.#peak, db) : this.#peak - ECHO_FALL_DB;
    if (!loud && echoes) this.#echo = Math.max(SILENCE_DB, this.#follow(db));
    this.#noise = db < this.#noise ? this.#noise + FALL * (db - this.#noise) : this.#noise + NOISE_RISE_DB;
    return this.#loud >= LOUD_LEVELS;
  }

  /** What it took for a voice was none: then it is echo, which will be as loud again. */
  mistaken() {
    this.#echo = Math.max(this.#echo, this.#peak);
    this.#loud = 0;
  }

  /** @param {boolean} echoes */
  #threshold(echoes) {
    const threshold = Math.max(LEAST_DB, this.#noise + ABOVE_NOISE_DB);
    return echoes ? Math.max(threshold, this.#echo + ABOVE_ECHO_DB) : threshold;
  }

  /** @param {number} db */
  #follow(db) {
    return db > this.#echo ? this.#echo + RISE * (db - this.#echo) : this.#echo - ECHO_FALL_DB;
  }
}
