/** The page: everything that is seen, and the buttons. Knows nothing of calls. */

import { STRINGS, firstLanguage, remember } from "./strings.js";
import { CaptionsView, element } from "./view-captions.js";
import { LatencyView } from "./view-latency.js";
import { SignalView } from "./view-signal.js";

/** @param {string} id */
const $ = (id) => document.getElementById(id);

/**
 * Sends "call", "hang-up", "mute", "interrupt", "hear" and, with a detail: "type" (text),
 * "language" ("en" | "zh"), "microphone" (device id).
 */
export class View extends EventTarget {
  language = firstLanguage();
  captions = new CaptionsView(this.strings);
  latency = new LatencyView(this.strings);
  signal = new SignalView(this.strings);
  #state = "idle";
  /** @type {Record<string, any> | null} what the server told about itself */
  #about = null;
  #muted = false;
  /** @type {import("./call-error.js").CallError | null} */
  #problem = null;
  /** @type {MediaDeviceInfo[]} */
  #devices = [];
  #deviceId = "";
  #timer = 0;

  constructor() {
    super();
    for (const id of ["call", "hang-up", "mute", "interrupt", "hear"]) {
      $(id).addEventListener("click", () => this.#tell(id));
    }
    for (const button of document.querySelectorAll("[data-language]")) {
      button.addEventListener("click", () => this.#setLanguage(button.dataset.language));
    }
    $("microphones").addEventListener("change", ({ target }) => this.#tell("microphone", target.value));
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    document.addEventListener("keydown", (event) => this.#key(event));
    this.#translate();
  }

  get strings() {
    return STRINGS[this.language];
  }

  get microphone() {
    return $("microphones").value;
  }

  /** @type {HTMLAudioElement} */
  get voice() {
    return $("voice");
  }

  /** @param {Record<string, any>} about */
  showAbout(about) {
    this.#about = about;
    $("running").hidden = false;
    $("nodes").replaceChildren(
      ...about.nodes.map(({ name, addon }) => {
        const item = element("li", "", `${name} `);
        item.append(element("code", "", addon));
        return item;
      }),
    );
    this.#translate();
  }

  /** @param {import("./call.js").State | "idle"} state */
  showState(state) {
    const [wasInCall, phase] = [this.#inCall, this.#phase];
    this.#state = state;
    document.body.dataset.state = state;
    document.body.dataset.phase = this.#phase;
    document.body.dataset.layout = this.#phase === "call" || !this.captions.empty ? "split" : "single";
    [$("state").textContent, $("hint").textContent] = this.strings.states[state];
    $("call").hidden = this.#inCall;
    for (const id of ["controls", "meters"]) $(id).hidden = !this.#inCall;
    $("composer").hidden = this.#phase !== "call";
    if (this.#phase !== phase) this.#showSuggestions();
    if (this.#inCall !== wasInCall) {
      $("state").focus(); // the button that had it has gone; not another one, which a held Enter would press
    }
    if (state === "reconnecting") this.showNotice("");
    if (["hold", "reconnecting"].includes(state)) this.announce(this.strings.states[state].join(". "));
  }

  /**
   * A new call begins: forget the one before.
   */
  clear() {
    this.captions.clear();
    this.latency.clear();
    this.showProblem(null);
    this.showNotice("");
    this.showMuted(false);
    $("call-text").textContent = this.strings.callAgain;
  }

  /**
   * Show how long the call has lasted, every second.
   * @param {(() => number) | null} seconds null stops it
   */
  showTimer(seconds) {
    clearInterval(this.#timer);
    $("timer").hidden = !seconds;
    if (!seconds) return;
    const show = () => ($("timer").textContent = clock(seconds()));
    show();
    this.#timer = setInterval(show, 1000);
  }

  /** @param {number} seconds */
  showEnd(seconds) {
    if (seconds) $("hint").textContent = this.strings.callEndedAfter(clock(seconds));
    this.announce(`${$("state").textContent}. ${$("hint").textContent}`);
  }

  /** @param {import("./call-error.js").CallError | null} error */
  showProblem(error) {
    this.#problem = error;
    $("problem").hidden = !error;
    if (!error) return;
    [$("problem-title").textContent, $("problem-advice").textContent] = this.strings.errors[error.code];
    $("problem-detail").textContent = error.detail;
    $("problem-detail").hidden = !error.detail;
  }

  /**
   * Something that the call survives.
   * @param {string} text "" takes it away
   */
  showNotice(text) {
    $("notice").textContent = text;
    $("notice").hidden = !text;
  }

  /** @param {boolean} muted */
  showMuted(muted) {
    this.#muted = muted;
    $("mute").setAttribute("aria-pressed", String(muted));
    $("mute-text").textContent = muted ? this.strings.unmute : this.strings.mute;
  }

  /** @param {boolean} blocked whether the browser refuses to play sound without a click */
  showHear(blocked) {
    $("hear").hidden = !blocked;
  }

  /** @param {{name: "you" | "agent", level: number}} detail */
  showLevel({ name, level }) {
    document.body.style.setProperty(`--${name}`, level.toFixed(3));
    $(`level-${name}`).setAttribute("aria-valuenow", String(Math.round(level * 20) * 5));
  }

  /**
   * @param {MediaDeviceInfo[]} devices
   * @param {string} [chosen]
   */
  showMicrophones(devices, chosen = this.#deviceId) {
    [this.#devices, this.#deviceId] = [devices, chosen];
    const options = devices.map(
      ({ label, deviceId }, index) => new Option(label || this.strings.microphoneNumber(index + 1), deviceId),
    );
    if (!devices.some(({ deviceId }) => deviceId === "default")) {
      options.unshift(new Option(this.strings.systemMicrophone, ""));
    }
    $("microphones").replaceChildren(...options);
    if (devices.some(({ deviceId }) => deviceId === chosen)) $("microphones").value = chosen;
  }

  /**
   * Tell a screen reader.
   * @param {string} text
   */
  announce(text) {
    $("announcer").replaceChildren(element("p", "", text));
  }

  get #inCall() {
    return !["idle", "ended", "failed"].includes(this.#state);
  }

  get #phase() {
    if (!this.#inCall) return this.#state === "idle" ? "idle" : "over";
    return ["permission", "connecting"].includes(this.#state) ? "connecting" : "call";
  }

  /** @param {string} language */
  #setLanguage(language) {
    if (language === this.language) return;
    this.language = language;
    remember(language);
    this.#translate();
    this.#tell("language", language);
  }

  /** Write every text of the page in the language chosen. */
  #translate() {
    const strings = this.strings;
    document.documentElement.lang = this.language;
    for (const each of document.querySelectorAll("[data-text]")) each.textContent = strings[each.dataset.text];
    for (const each of document.querySelectorAll("[data-label]")) each.ariaLabel = strings[each.dataset.label];
    for (const each of document.querySelectorAll("[data-placeholder]")) {
      each.placeholder = strings[each.dataset.placeholder];
    }
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === this.language));
    }
    const title = this.#about?.vertical?.title[this.language];
    $("title").textContent = title ?? strings.page;
    document.title = title ? `${title} · ${strings.page}` : strings.page;
    [$("state").textContent, $("hint").textContent] = strings.states[this.#state];
    $("call-text").textContent = this.#state === "idle" ? strings.call : strings.callAgain;
    this.#showLanguageNotice();
    this.#showSuggestions();
    this.showMuted(this.#muted);
    this.showProblem(this.#problem);
    this.showNotice("");
    this.showMicrophones(this.#devices);
    this.captions.translate(strings);
    this.latency.translate(strings);
    this.signal.translate(strings);
  }

  #showLanguageNotice() {
    const spoken = this.#about?.spoken_languages ?? [this.language];
    const notice = $("language-notice");
    notice.hidden = spoken.includes(this.language);
    notice.textContent = this.strings.speechNotUnderstood(this.strings.languageNames[this.language]);
  }

  /** Things to say: to read before the call, to send by a click during it. */
  #showSuggestions() {
    const lines = this.#about?.vertical?.suggestions[this.language] ?? [];
    $("try-title").parentElement.hidden = !lines.length;
    $("suggestions").replaceChildren(
      ...lines.map((line) => {
        const item = document.createElement("li");
        if (this.#phase !== "call") {
          item.textContent = line;
          return item;
        }
        const button = element("button", "", line);
        button.type = "button";
        button.addEventListener("click", () => this.#tell("type", line));
        item.append(button);
        return item;
      }),
    );
  }

  #submit() {
    const text = $("message").value.trim();
    if (!text) return;
    $("message").value = "";
    this.#tell("type", text);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const typing = event.target instanceof Element && event.target.closest("input, select, textarea");
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || !this.#inCall) return;
    if (event.key === "Escape") this.#tell("hang-up");
    if (event.key.toLowerCase() === "m") this.#tell("mute");
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {number} seconds */
function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
