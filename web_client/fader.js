/** Turns an element's sound up and down without a click. Through its `volume`, not Web Audio: what Chromium plays
 * from a media element is what its echo canceller knows of. (Safari on iOS leaves the volume to its user.) */

const STEP_MS = 10;
const STEPS = 3;

export class Fader {
  #timer = 0;

  /** @param {HTMLMediaElement} element */
  constructor(element) {
    this.element = element;
  }

  /** @param {number} volume 0..1 */
  to(volume) {
    clearInterval(this.#timer);
    const step = (volume - this.element.volume) / STEPS;
    let left = STEPS;
    const move = () => {
      left -= 1;
      this.element.volume = left ? Math.min(1, Math.max(0, this.element.volume + step)) : volume;
      if (!left) clearInterval(this.#timer);
    };
    this.#timer = setInterval(move, STEP_MS);
    move();
  }
}
