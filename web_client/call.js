/** One call, from the click to hanging up: microphone, connection, and what is known of the talk. */

import { CallError } from "./call-error.js";
import { Captions } from "./captions.js";
import { Connection, checkBrowser } from "./connection.js";
import { Ducking } from "./ducking.js";
import { iceConfiguration } from "./ice-servers.js";
import { Levels } from "./levels.js";
import { Microphone } from "./microphone.js";
import { Server, cancelResponse, createResponse, typedItem, updateSession } from "./protocol.js";
import { TurnState } from "./turn-state.js";
import { LEVELS_PER_S } from "./voice-onset.js";

/**
 * @typedef {"permission" | "connecting" | import("./turn-state.js").Turn | "reconnecting" | "ended" | "failed"}
 *   State
 */

/**
 * Sends, each as a CustomEvent with its detail: "state" (State), "up", "caption" (Line), "level" ({name: "you" |
 * "agent", level}), "duck" (whether the agent is to be turned down), "sound" (the agent's MediaStream), "latency" and "route" (events of the wire), "trouble"
 * (the text of an error that the call survives), "signal" (a Signal), "reconnected", "microphone" (its device
 * id), "microphone-lost", "over" (a CallError, or null when the caller has hung up).
 */
export class Call extends EventTarget {
  #microphone = new Microphone();
  #connection = new Connection();
  #levels = new Levels();
  #captions = new Captions();
  #turn = new TurnState();
  #ducking = new Ducking();
  #ducked = false;
  /** @type {(() => void)[]} stop the meters of the microphone in use */
  #meters = [];
  #reconnecting = false;
  #over = false;
  #startedAt = 0;

  /**
   * Call it while handling a click. How it goes is told by events.
   * @param {{language: string, deviceId: string}} options
   */
  async start({ language, deviceId }) {
    try {
      checkBrowser();
      this.#levels.start();
      this.#listen();
      const configuration = iceConfiguration();
      this.#tell("state", "permission");
      await this.#useMicrophone(deviceId);
      if (this.#over) return this.#microphone.stop();
      this.#tell("state", "connecting");
      await this.#connection.start(this.#microphone.stream, language, await configuration);
      this.#startedAt = performance.now();
      this.#tell("up");
      this.#tell("state", this.#turn.value);
    } catch (error) {
      if (!(error instanceof CallError) && !this.#over) console.error(error);
      this.#end(error instanceof CallError ? error : new CallError("refused", String(error)));
    }
  }

  /** Hang up. */
  stop() {
    this.#end(null);
  }

  /** How long the call has been up. */
  get seconds() {
    return this.#startedAt ? (performance.now() - this.#startedAt) / 1000 : 0;
  }

  get muted() {
    return this.#microphone.muted;
  }

  set muted(value) {
    this.#microphone.muted = value;
  }

  /**
   * Say something by typing.
   * @param {string} text
   */
  type(text) {
    this.#connection.send(typedItem(text));
    this.#connection.send(createResponse());
  }

  /** Make the agent stop speaking. */
  interrupt() {
    this.#connection.send(cancelResponse());
  }

  /** @param {string} language */
  setLanguage(language) {
    this.#connection.send(updateSession(language));
  }

  /**
   * Go on with another microphone.
   * @param {string} deviceId
   */
  async changeMicrophone(deviceId) {
    try {
      await this.#useMicrophone(deviceId);
      await this.#connection.replaceMicrophone(this.#microphone.stream);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#tell("microphone-lost");
    }
  }

  /** @param {string} deviceId */
  async #useMicrophone(deviceId) {
    const stream = await this.#microphone.start(deviceId);
    for (const stop of this.#meters.splice(0)) stop();
    this.#levels.watch("you", stream).then((stop) => this.#meters.push(stop));
    const hear = (db) => this.#duck(() => this.#ducking.hear(db, performance.now()));
    this.#levels.measure(stream, LEVELS_PER_S, hear).then((stop) => this.#meters.push(stop));
    this.#tell("microphone", this.#microphone.deviceId);
  }

  #listen() {
    this.#levels.addEventListener("level", ({ detail }) => this.#tell("level", detail));
    this.#microphone.addEventListener("lost", () => this.#tell("microphone-lost"));
    const connection = this.#connection;
    connection.addEventListener("event", ({ detail }) => this.#receive(detail));
    connection.addEventListener("signal", ({ detail }) => this.#tell("signal", detail));
    connection.addEventListener("reconnecting", () => this.#reconnects(true));
    connection.addEventListener("reconnected", () => this.#reconnects(false));
    connection.addEventListener("ended", ({ detail }) => this.#end(detail));
    connection.addEventListener("sound", ({ detail }) => {
      this.#tell("sound", detail);
      this.#levels.watch("agent", detail);
    });
  }

  /** @param {import("./protocol.js").WireEvent} event */
  #receive(event) {
    const before = this.#turn.value;
    this.#turn.receive(event);
    this.#duck(() => this.#ducking.receive(event, performance.now()));
    if (this.#turn.value !== before && this.#startedAt && !this.#reconnecting) {
      this.#tell("state", this.#turn.value);
    }
    const line = this.#captions.receive(event);
    if (line) this.#tell("caption", line);
    if (event.type === Server.LATENCY) this.#tell("latency", event);
    if (event.type === Server.ROUTE) this.#tell("route", event);
    if (event.type === Server.ERROR) this.#tell("trouble", event.error?.message ?? "");
  }

  /** @param {() => void} change what may change whether the agent is turned down here */
  #duck(change) {
    change();
    if (this.#ducking.ducked === this.#ducked) return;
    this.#ducked = this.#ducking.ducked;
    this.#tell("duck", this.#ducked);
  }

  /** @param {boolean} value */
  #reconnects(value) {
    this.#reconnecting = value;
    this.#tell("state", value ? "reconnecting" : this.#turn.value);
    if (!value) this.#tell("reconnected");
  }

  /** @param {CallError | null} error */
  #end(error) {
    if (this.#over) return;
    this.#connection.stop();
    this.#microphone.stop();
    this.#levels.stop();
    this.#tell("state", error && error.code !== "hung_up" ? "failed" : "ended");
    this.#tell("over", error);
    this.#over = true;
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    if (!this.#over) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
