/** Where the time of the last answer went, as a bar and in words. */

import { element } from "./view-captions.js";

const COLOURS = 6;

export class LatencyView {
  #figure = document.getElementById("latency");
  #total = document.getElementById("latency-total");
  #bar = document.getElementById("latency-bar");
  #stages = document.getElementById("latency-stages");
  #route = document.getElementById("route");
  /** @type {Record<string, any>} */
  #strings;
  /** @type {{voice_to_voice_ms: number, stages: {name: string, ms: number}[]} | null} */
  #latest = null;

  /** @param {Record<string, any>} strings */
  constructor(strings) {
    this.#strings = strings;
  }

  clear() {
    this.#latest = null;
    this.#figure.hidden = true;
    this.#route.hidden = true;
  }

  /** @param {Record<string, any>} strings */
  translate(strings) {
    this.#strings = strings;
    if (this.#latest) this.show(this.#latest);
  }

  /** @param {{voice_to_voice_ms: number, stages: {name: string, ms: number}[]}} latency */
  show(latency) {
    this.#latest = latency;
    const { ms, stages, latencySummary } = this.#strings;
    const total = Math.round(latency.voice_to_voice_ms);
    const parts = latency.stages
      .filter((stage) => Math.round(stage.ms) > 0)
      .map((stage) => ({ ...stage, ms: Math.round(stage.ms), label: stages[stage.name] ?? stage.name }));
    this.#total.textContent = `${total} ${ms}`;
    const words = parts.map((part) => `${part.label} ${part.ms} ${ms}`).join(", ");
    this.#bar.setAttribute("aria-label", latencySummary(total, words));
    this.#bar.replaceChildren(...parts.map((part, index) => segment(part.ms, index)));
    this.#stages.replaceChildren(
      ...parts.map((part, index) => {
        const item = element("li", `stage-${index % COLOURS}`, `${part.label} `);
        item.append(element("b", "", `${part.ms}`));
        item.title = part.name;
        return item;
      }),
    );
    this.#figure.hidden = false;
  }

  /** @param {{to: string, reason: string}} route */
  showRoute({ to, reason }) {
    document.getElementById("route-to").textContent = to;
    document.getElementById("route-reason").textContent = reason ? `(${reason})` : "";
    this.#route.hidden = false;
  }
}

/**
 * @param {number} ms
 * @param {number} index
 */
function segment(ms, index) {
  const part = element("i", `stage-${index % COLOURS}`);
  part.style.flexGrow = String(ms);
  return part;
}
