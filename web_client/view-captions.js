/** The conversation on the page. */

import { unheard } from "./captions.js";

export class CaptionsView {
  #list = document.getElementById("captions");
  #scroll = document.getElementById("scroll");
  #empty = document.getElementById("empty");
  /** @type {Map<string, HTMLLIElement>} */
  #items = new Map();
  /** @type {Record<string, any>} */
  #strings;
  /** The reader is at the newest line, or has not left it by scrolling up. */
  #following = true;
  #top = 0;

  /** @param {Record<string, any>} strings */
  constructor(strings) {
    this.#strings = strings;
    this.#scroll.addEventListener("scroll", () => {
      const { scrollTop } = this.#scroll;
      // Away from the end without having gone up: the room has shrunk, which the observer below mends.
      if (this.#atEnd || scrollTop < this.#top) this.#following = this.#atEnd;
      this.#top = scrollTop;
    });
    new ResizeObserver(() => {
      if (this.#following) this.#scrollToEnd();
    }).observe(this.#scroll);
  }

  clear() {
    this.#items.clear();
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }

  /** @param {Record<string, any>} strings */
  translate(strings) {
    this.#strings = strings;
    for (const item of this.#items.values()) {
      const agent = item.classList.contains("agent");
      item.querySelector(".who").textContent = agent ? strings.agent : strings.you;
      item.querySelector(".mark").textContent = agent ? strings.interrupted : strings.notUnderstood;
    }
  }

  /** @param {import("./captions.js").Line} line */
  show(line) {
    const follow = this.#atEnd;
    const item = this.#items.get(line.id) ?? this.#add(line);
    const rest = unheard(line);
    const said = line.who === "agent" ? line.heard : line.text;
    const lost = line.who === "you" && line.final && !line.text;
    item.hidden = !said && !rest && !lost; // the agent's words appear with its voice
    item.classList.toggle("interim", !line.final);
    item.classList.toggle("cut", line.cut);
    item.querySelector(".said").textContent = line.cut ? `${said.trimEnd()} —` : said;
    item.querySelector("s").textContent = rest;
    item.querySelector(".mark").hidden = !line.cut && !lost;
    this.#empty.hidden = [...this.#items.values()].some((each) => !each.hidden);
    if (follow) this.#scrollToEnd();
  }

  get empty() {
    return this.#items.size === 0;
  }

  /** Whether the reader is at the newest line, rather than reading older ones. */
  get #atEnd() {
    return this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight < 60;
  }

  #scrollToEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  /** @param {import("./captions.js").Line} line */
  #add(line) {
    const item = document.createElement("li");
    item.className = line.who;
    item.lang = document.documentElement.lang;
    const who = element("span", "who", line.who === "agent" ? this.#strings.agent : this.#strings.you);
    const text = document.createElement("p");
    text.append(element("span", "said"), " ", element("s", ""));
    const mark = line.who === "agent" ? this.#strings.interrupted : this.#strings.notUnderstood;
    item.append(who, text, element("small", "mark", mark));
    this.#items.set(line.id, item);
    this.#list.append(item);
    return item;
  }
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 */
export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
