/** The bars of the connection: as high as it is good, and in words. */

export class SignalView {
  #element = document.getElementById("signal");
  /** @type {Record<string, any>} */
  #strings;
  /** @type {import("./signal.js").Signal | null} */
  #latest = null;

  /** @param {Record<string, any>} strings */
  constructor(strings) {
    this.#strings = strings;
  }

  /** @param {Record<string, any>} strings */
  translate(strings) {
    this.#strings = strings;
    this.show(this.#latest);
  }

  /** @param {import("./signal.js").Signal | null} signal null hides it */
  show(signal) {
    this.#latest = signal;
    this.#element.hidden = !signal;
    if (!signal) return;
    const { signalQuality, signalFigures, qualities } = this.#strings;
    this.#element.dataset.quality = signal.quality;
    this.#element.setAttribute("aria-label", signalQuality(qualities[signal.quality]));
    const { rttMs, loss, jitterMs } = signal;
    this.#element.title = signalFigures(Math.round(rttMs), Math.round(loss * 100), Math.round(jitterMs));
    document.getElementById("signal-text").textContent = qualities[signal.quality];
  }
}
