/** What both sides have said, built from events. No DOM. */

import { Server } from "./protocol.js";

/**
 * @typedef {object} Line
 * @property {string} id the conversation item's
 * @property {"you" | "agent"} who
 * @property {string} text what is known of it: an interim transcript, or all that the agent has made so far
 * @property {string} heard agent: the beginning of `text` that has left the loudspeaker
 * @property {boolean} final nothing of it will change
 * @property {boolean} cut agent: the caller spoke over it, the rest was never heard
 */

export class Captions {
  /** @type {Map<string, Line>} in the order in which they began */
  lines = new Map();
  /** Items whose whole text comes in `voice_agent.transcript`: their deltas would say it twice. */
  #whole = new Set();

  /**
   * The line that an event has changed, or null.
   * @param {import("./protocol.js").WireEvent} event
   * @returns {Line | null}
   */
  receive(event) {
    switch (event.type) {
      case Server.TRANSCRIPT:
        this.#whole.add(event.item_id);
        return this.#caller(event.item_id, () => event.text, false);
      case Server.TRANSCRIPT_DELTA:
        if (this.#whole.has(event.item_id)) return null;
        return this.#caller(event.item_id, (text) => text + event.delta, false);
      case Server.TRANSCRIPT_COMPLETED:
        return this.#caller(event.item_id, () => event.transcript, true);
      case Server.ITEM_ADDED:
        return this.#typed(event.item);
      case Server.REPLY_DELTA:
        return this.#reply(event.item_id, (line) => (line.text += event.delta));
      case Server.HEARD:
        return this.#reply(event.item_id, (line) => {
          line.heard = event.text;
          line.final = event.final;
          line.cut = event.interrupted;
        });
    }
    return null;
  }

  /**
   * @param {string} id
   * @param {(text: string) => string} change
   * @param {boolean} final
   */
  #caller(id, change, final) {
    const line = this.#line(id, "you");
    if (line.final) return null;
    line.text = change(line.text);
    line.final = final;
    return line;
  }

  /** @param {{id: string, role: string, content?: {type: string, text?: string}[]}} item */
  #typed(item) {
    const text = item.content?.find((part) => part.type === "input_text")?.text;
    return item.role === "user" && text ? this.#caller(item.id, () => text, true) : null;
  }

  /**
   * @param {string} id
   * @param {(line: Line) => void} change
   */
  #reply(id, change) {
    const line = this.#line(id, "agent");
    change(line);
    return line;
  }

  /**
   * @param {string} id
   * @param {"you" | "agent"} who
   * @returns {Line}
   */
  #line(id, who) {
    let line = this.lines.get(id);
    if (!line) {
      line = { id, who, text: "", heard: "", final: false, cut: false };
      this.lines.set(id, line);
    }
    return line;
  }
}

/**
 * What the agent had ready to say when it was cut.
 * @param {Line} line
 */
export function unheard(line) {
  if (!line.cut) return "";
  return line.text.startsWith(line.heard) ? line.text.slice(line.heard.length).trim() : "";
}
