/** Sound levels of both sides. */

const FLOOR_DB = -60;
const SHOWN_PER_S = 30;
const FALL_PER_REPORT = 0.82;

/** Sends "level" with detail {name, level}: 0 is silence (-60 dBFS and below), 1 is full scale. */
export class Levels extends EventTarget {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Promise<void> | null} */
  #ready = null;

  /** Call it while handling a click: browsers start no sound by themselves. */
  start() {
    this.#context = new AudioContext();
    this.#ready = this.#context.audioWorklet.addModule(new URL("level-worklet.js", import.meta.url));
    this.#ready.catch((error) => console.warn("no level meters:", error)); // a call is possible without
  }

  /**
   * Tell of a stream by "level" from now on.
   * @param {string} name
   * @param {MediaStream} stream
   * @returns {Promise<() => void>} stops it
   */
  watch(name, stream) {
    let shown = 0;
    return this.measure(stream, SHOWN_PER_S, (db) => {
      const level = Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
      shown = Math.max(level, shown * FALL_PER_REPORT);
      this.dispatchEvent(new CustomEvent("level", { detail: { name, level: shown } }));
    });
  }

  /**
   * Measure a stream from now on.
   * @param {MediaStream} stream
   * @param {number} perSecond how often
   * @param {(db: number) => void} hear takes the level, in dB of full scale
   * @returns {Promise<() => void>} stops it
   */
  async measure(stream, perSecond, hear) {
    const context = this.#context;
    try {
      await this.#ready;
    } catch {
      return () => {};
    }
    if (!context || context.state === "closed") return () => {};
    const source = context.createMediaStreamSource(stream);
    const options = { numberOfOutputs: 0, processorOptions: { perSecond } };
    const meter = new AudioWorkletNode(context, "level-meter", options);
    meter.port.onmessage = ({ data: rms }) => hear(20 * Math.log10(rms || 1e-9));
    source.connect(meter);
    return () => {
      meter.port.onmessage = null;
      source.disconnect();
    };
  }

  async stop() {
    const context = this.#context;
    this.#context = null;
    if (context && context.state !== "closed") await context.close();
  }
}
