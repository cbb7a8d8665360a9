/**
 * The names on the wire: the OpenAI Realtime API's events, and this server's own `voice_agent.*`.
 * @see https://platform.openai.com/docs/api-reference/realtime
 */

export const CALLS_PATH = "v1/realtime/calls";
export const ICE_PATH = "v1/realtime/ice";
export const ABOUT_PATH = "v1/voice_agent";
export const EVENTS_CHANNEL = "oai-events";
export const FRAGMENT_TYPE = "application/trickle-ice-sdpfrag";

/** What the server sends and the page understands. */
export const Server = Object.freeze({
  SPEECH_STARTED: "input_audio_buffer.speech_started",
  SPEECH_STOPPED: "input_audio_buffer.speech_stopped",
  ITEM_ADDED: "conversation.item.added",
  TRANSCRIPT_DELTA: "conversation.item.input_audio_transcription.delta",
  TRANSCRIPT_COMPLETED: "conversation.item.input_audio_transcription.completed",
  RESPONSE_CREATED: "response.created",
  RESPONSE_DONE: "response.done",
  REPLY_DELTA: "response.output_audio_transcript.delta",
  OUTPUT_STARTED: "output_audio_buffer.started",
  OUTPUT_STOPPED: "output_audio_buffer.stopped",
  OUTPUT_CLEARED: "output_audio_buffer.cleared",
  ERROR: "error",
  TRANSCRIPT: "voice_agent.transcript",
  HEARD: "voice_agent.heard",
  ROUTE: "voice_agent.route",
  HOLD: "voice_agent.hold",
  PLAYBACK: "voice_agent.playback",
  LATENCY: "voice_agent.latency",
  NETWORK: "voice_agent.network",
  REDUNDANCY: "voice_agent.redundancy",
});

/** @typedef {{type: string, [field: string]: any}} WireEvent */

/**
 * The session part of an offer and of `session.update`.
 * @param {string} language
 */
export function session(language) {
  return { type: "realtime", audio: { input: { transcription: { language } } } };
}

/**
 * A typed line, as an item of the conversation.
 * @param {string} text
 * @returns {WireEvent}
 */
export function typedItem(text) {
  const content = [{ type: "input_text", text }];
  return { type: "conversation.item.create", item: { type: "message", role: "user", content } };
}

/** @returns {WireEvent} */
export function createResponse() {
  return { type: "response.create" };
}

/** @returns {WireEvent} */
export function cancelResponse() {
  return { type: "response.cancel" };
}

/**
 * @param {string} language
 * @returns {WireEvent}
 */
export function updateSession(language) {
  return { type: "session.update", session: session(language) };
}

/**
 * An event from the data channel; null for text that is none.
 * @param {unknown} data
 * @returns {WireEvent | null}
 */
export function parse(data) {
  if (typeof data !== "string") return null;
  try {
    const event = JSON.parse(data);
    return typeof event?.type === "string" ? event : null;
  } catch {
    return null;
  }
}
