/** Every text of the page, in both languages. Keys are the same in both. */

export const LANGUAGES = ["en", "zh"];

const en = {
  page: "Voice agent",
  language: "Language",
  call: "Start call",
  callAgain: "Call again",
  hangUp: "Hang up",
  mute: "Mute",
  unmute: "Unmute",
  interrupt: "Stop the agent",
  hearAgent: "Turn the agent's sound on",
  microphone: "Microphone",
  systemMicrophone: "System default",
  microphoneNumber: (number) => `Microphone ${number}`,
  you: "You",
  agent: "Agent",
  yourLevel: "Your voice",
  agentLevel: "Agent's voice",
  conversation: "Conversation",
  empty: "What you and the agent say appears here.",
  interrupted: "interrupted",
  notUnderstood: "not understood",
  typeLabel: "Type instead of speaking",
  send: "Send",
  trySaying: "Try saying",
  lastAnswer: "Last answer",
  latencyNote: "from your last sound to the agent's first",
  latencySummary: (total, stages) => `${total} milliseconds: ${stages}`,
  answeredBy: "Answered by",
  running: "What runs here",
  keys: "Keys",
  keyMute: "mute",
  keyHangUp: "hang up",
  ms: "ms",
  speechNotUnderstood: (language) =>
    `In this set-up speech is not understood in ${language}. Type instead: the agent answers aloud.`,
  languageNames: { en: "English", zh: "Chinese" },
  callEndedAfter: (time) => `It lasted ${time}.`,
  muted: "Your microphone is muted",
  unmuted: "Your microphone is on",
  reconnected: "The connection is back.",
  signalQuality: (quality) => `Connection: ${quality}`,
  signalFigures: (rtt, loss, jitter) => `Round trip ${rtt} ms, loss ${loss} %, jitter ${jitter} ms`,
  qualities: { good: "good", fair: "fair", poor: "poor" },
  microphoneLost: "The microphone was disconnected. Plug it in again or choose another one; you can also type.",
  trouble: (message) => `The agent ran into a problem and goes on: ${message}`,
  states: {
    idle: ["Ready when you are", "Speak as you would on the phone. You can interrupt at any time."],
    permission: ["May I listen?", "Allow the microphone in your browser's prompt."],
    connecting: ["Calling …", "This takes a moment."],
    reconnecting: ["Reconnecting …", "The network is away. The call goes on as soon as it is back."],
    listening: ["Listening", "Go ahead, speak."],
    you: ["You are speaking", "I am all ears."],
    thinking: ["Thinking", "One moment."],
    speaking: ["Speaking", "Just start talking to interrupt."],
    ducked: ["Speaking softly", "Go on if you want to say something; else I will too."],
    paused: ["Pausing", "I heard you. Go on, or I will."],
    hold: ["On hold", "Take your time. Speak when you are back."],
    ended: ["Call ended", "Thank you for calling."],
    failed: ["The call failed", "Here is why."],
  },
  stages: {
    vad: "hearing the end", stt: "recognising", turn: "waiting for your pause", router: "choosing who answers",
    fast: "answering", llm: "answering", large: "answering", clause: "first clause", tts: "voice",
    client: "sending",
  },
  errors: {
    insecure: [
      "The page was not opened securely",
      "Browsers give the microphone to secure pages only. Open this page with https://, or as http://localhost on the machine it runs on.",
    ],
    no_webrtc: [
      "This browser cannot make calls",
      "It lacks WebRTC or access to the microphone. Use a current Chrome, Edge, Firefox or Safari, outside of other apps' built-in browsers.",
    ],
    mic_denied: [
      "The microphone is blocked",
      "Click the microphone or lock sign next to the address, allow the microphone for this page, then call again. If it is allowed there, check the privacy settings of your system.",
    ],
    mic_missing: ["No microphone was found", "Connect a microphone or a headset, then call again."],
    mic_busy: [
      "The microphone cannot be opened",
      "Another program may be using it. Close other calls and recorders, or choose another microphone, then call again.",
    ],
    mic_failed: ["The microphone does not work", "Unplug it and plug it in again, or choose another one, then call again."],
    server_unreachable: ["The server does not answer", "Check that it is running and that you are online, then call again."],
    busy: ["All lines are busy", "Call again in a moment."],
    refused: ["The call was not accepted", "Call again. If it happens every time, tell whoever runs this server what is written below."],
    no_path: [
      "No sound connection",
      "The server answered, but sound cannot reach it. A firewall or VPN may block UDP: try another network.",
    ],
    lost: ["The connection was lost", "Check your network, then call again."],
    server_gone: ["The server is gone", "It stopped answering in the middle of the call. Call again in a moment."],
    hung_up: ["The agent has hung up", "The call was ended on the other side."],
  },
};

/** @type {typeof en} */
const zh = {
  page: "语音客服",
  language: "语言",
  call: "开始通话",
  callAgain: "再次拨打",
  hangUp: "挂断",
  mute: "静音",
  unmute: "取消静音",
  interrupt: "让对方停下",
  hearAgent: "打开对方的声音",
  microphone: "麦克风",
  systemMicrophone: "系统默认",
  microphoneNumber: (number) => `麦克风 ${number}`,
  you: "您",
  agent: "客服",
  yourLevel: "您的音量",
  agentLevel: "客服的音量",
  conversation: "对话",
  empty: "您和客服说的话会显示在这里。",
  interrupted: "被打断",
  notUnderstood: "没有听清",
  typeLabel: "也可以打字",
  send: "发送",
  trySaying: "可以这样说",
  lastAnswer: "上一次回答",
  latencyNote: "从您的最后一个音到客服的第一个音",
  latencySummary: (total, stages) => `${total} 毫秒：${stages}`,
  answeredBy: "回答者",
  running: "正在运行的组件",
  keys: "快捷键",
  keyMute: "静音",
  keyHangUp: "挂断",
  ms: "毫秒",
  speechNotUnderstood: (language) => `当前配置听不懂${language}语音。请打字，客服会用语音回答。`,
  languageNames: { en: "英语", zh: "中文" },
  callEndedAfter: (time) => `通话时长 ${time}。`,
  muted: "麦克风已静音",
  unmuted: "麦克风已打开",
  reconnected: "连接已恢复。",
  signalQuality: (quality) => `连接：${quality}`,
  signalFigures: (rtt, loss, jitter) => `往返 ${rtt} 毫秒，丢包 ${loss} %，抖动 ${jitter} 毫秒`,
  qualities: { good: "良好", fair: "一般", poor: "较差" },
  microphoneLost: "麦克风已断开。请重新插上或另选一个，也可以打字。",
  trouble: (message) => `客服遇到了问题，通话继续：${message}`,
  states: {
    idle: ["随时可以开始", "像打电话一样说话，随时可以打断。"],
    permission: ["可以使用麦克风吗？", "请在浏览器的提示中允许使用麦克风。"],
    connecting: ["正在拨打……", "请稍候。"],
    reconnecting: ["正在重新连接……", "网络断开了，恢复后通话会继续。"],
    listening: ["正在听", "请说。"],
    you: ["您正在说话", "我在听。"],
    thinking: ["正在思考", "请稍等。"],
    speaking: ["正在说话", "直接开口就可以打断。"],
    ducked: ["正在小声说", "想说什么请继续，否则我接着说。"],
    paused: ["暂停了", "我听到您了，请说；不说我就继续。"],
    hold: ["等候中", "不着急，回来后直接说话。"],
    ended: ["通话结束", "感谢来电。"],
    failed: ["通话失败", "原因如下。"],
  },
  stages: {
    vad: "听到结束", stt: "识别", turn: "等待停顿", router: "选择回答者", fast: "组织回答", llm: "组织回答",
    large: "组织回答", clause: "第一个分句", tts: "合成语音", client: "发送",
  },
  errors: {
    insecure: ["页面不是安全打开的", "浏览器只允许安全页面使用麦克风。请用 https:// 打开，或在运行它的电脑上用 http://localhost 打开。"],
    no_webrtc: ["这个浏览器不能通话", "它缺少 WebRTC 或麦克风功能。请使用新版 Chrome、Edge、Firefox 或 Safari，不要用其他应用的内置浏览器。"],
    mic_denied: ["麦克风被禁止", "请点击地址旁的麦克风或锁形图标，允许本页面使用麦克风，然后再次拨打。如果那里已允许，请检查系统的隐私设置。"],
    mic_missing: ["没有找到麦克风", "请连接麦克风或耳机，然后再次拨打。"],
    mic_busy: ["麦克风打不开", "可能有其他程序正在使用它。请关闭其他通话或录音，或另选一个麦克风，然后再次拨打。"],
    mic_failed: ["麦克风不能工作", "请重新插拔，或另选一个麦克风，然后再次拨打。"],
    server_unreachable: ["服务器没有回应", "请确认服务器正在运行、网络正常，然后再次拨打。"],
    busy: ["线路全忙", "请稍后再次拨打。"],
    refused: ["通话未被接受", "请再次拨打。如果总是这样，请把下面的内容告诉服务器的管理者。"],
    no_path: ["声音无法连接", "服务器有回应，但声音传不过去。防火墙或 VPN 可能阻止了 UDP，请换一个网络试试。"],
    lost: ["连接已断开", "请检查网络，然后再次拨打。"],
    server_gone: ["服务器不见了", "它在通话中停止了回应。请稍后再次拨打。"],
    hung_up: ["对方已挂断", "通话由对方结束。"],
  },
};

export const STRINGS = { en, zh };

/** The language to begin with: the one chosen last time, else the browser's. */
export function firstLanguage() {
  const tags = [remembered(), ...(navigator.languages ?? [])];
  return tags.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => LANGUAGES.includes(tag)) ?? "en";
}

const KEY = "voice-agent.language";

/** @param {string} language */
export function remember(language) {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // private windows may have no storage: then it is asked anew each time
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}
