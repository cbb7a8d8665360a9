/** Wires the page to the call. */

import { Call } from "./call.js";
import { DUCKED_VOLUME } from "./ducking.js";
import { Fader } from "./fader.js";
import { microphones } from "./microphone.js";
import { ABOUT_PATH } from "./protocol.js";
import { View } from "./view.js";

const view = new View();
const fader = new Fader(view.voice);
/** @type {Call | null} the call under way */
let call = null;

view.addEventListener("call", () => start());
view.addEventListener("hang-up", () => call?.stop());
view.addEventListener("interrupt", () => call?.interrupt());
view.addEventListener("type", ({ detail }) => call?.type(detail));
view.addEventListener("language", ({ detail }) => call?.setLanguage(detail));
view.addEventListener("microphone", ({ detail }) => call?.changeMicrophone(detail));
view.addEventListener("hear", () => play());
view.addEventListener("mute", () => {
  if (!call) return;
  call.muted = !call.muted;
  view.showMuted(call.muted);
  view.announce(call.muted ? view.strings.muted : view.strings.unmuted);
});
window.addEventListener("pagehide", () => call?.stop());
navigator.mediaDevices?.addEventListener("devicechange", listMicrophones);

view.showState("idle");
listMicrophones();
fetch(ABOUT_PATH)
  .then((response) => response.json())
  .then((about) => view.showAbout(about))
  .catch((error) => console.warn("the server does not tell about itself:", error));

function start() {
  if (call) return;
  const current = (call = new Call());
  view.clear();
  follow(current);
  current.start({ language: view.language, deviceId: view.microphone });
}

/** @param {Call} current */
function follow(current) {
  /** @param {string} type @param {(detail: any) => void} handle */
  const on = (type, handle) => current.addEventListener(type, ({ detail }) => handle(detail));
  on("state", (state) => {
    view.showState(state);
    if (state === "speaking") view.showNotice(""); // what went wrong before has been overcome
  });
  on("caption", (line) => {
    view.captions.show(line);
    if (line.final) announce(line);
  });
  on("duck", (ducked) => fader.to(ducked ? DUCKED_VOLUME : 1));
  on("level", (detail) => view.showLevel(detail));
  on("latency", (latency) => view.latency.show(latency));
  on("route", (route) => view.latency.showRoute(route));
  on("trouble", (message) => view.showNotice(view.strings.trouble(message)));
  on("signal", (signal) => view.signal.show(signal));
  on("reconnected", () => {
    view.showNotice(view.strings.reconnected);
    view.announce(view.strings.reconnected);
  });
  on("microphone", (deviceId) => listMicrophones(null, deviceId));
  on("microphone-lost", () => view.showNotice(view.strings.microphoneLost));
  on("up", () => view.showTimer(() => current.seconds));
  on("sound", (stream) => {
    view.voice.srcObject = stream;
    play();
  });
  on("over", (error) => {
    call = null;
    fader.to(1);
    view.voice.srcObject = null;
    view.showTimer(null);
    view.signal.show(null);
    view.showNotice("");
    view.showHear(false);
    for (const name of /** @type {const} */ (["you", "agent"])) view.showLevel({ name, level: 0 });
    view.showProblem(error);
    view.showEnd(current.seconds);
  });
}

/** A browser may refuse to make a sound before the next click: then there is a button for it. */
async function play() {
  try {
    await view.voice.play();
    view.showHear(false);
  } catch (error) {
    if (error.name === "NotAllowedError") view.showHear(true);
  }
}

/** @param {import("./captions.js").Line} line */
function announce({ who, text, heard, cut }) {
  const { you, agent, interrupted } = view.strings;
  const said = who === "you" ? `${you}: ${text}` : `${agent}: ${heard}`;
  view.announce(cut ? `${said} (${interrupted})` : said);
}

/**
 * @param {unknown} _event
 * @param {string} [chosen]
 */
async function listMicrophones(_event, chosen) {
  view.showMicrophones(await microphones(), chosen);
}
