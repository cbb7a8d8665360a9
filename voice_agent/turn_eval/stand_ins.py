"""Stand-ins for models that know the script: for trials of turn-taking alone, on the virtual clock.

They are told by the caller what was really said, and pass it on as late as models do: onsets like Silero's,
which come 66 ms late at the median and 147 at P90 (docs/benchmarks.md)."""

import asyncio
from collections.abc import Mapping
from functools import reduce
from random import Random

import numpy as np

from voice_agent.audio import FRAME_S, SAMPLE_RATE
from voice_agent.clauses import Cutter
from voice_agent.extension import Emit, Extension
from voice_agent.message import (
    AudioFrame,
    CallStarted,
    Message,
    Nudge,
    Samples,
    Speech,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    TurnEnded,
    Word,
)
from voice_agent.spoken import join, spread_words
from voice_agent.turn_eval.caller import Caller, Placed

GAP_S = 0.12
"""So much silence after a voice is told as its end; words lie closer together."""
ANSWERS = {
    "en": (
        "Our standard delivery takes three to five working days, and it is free for orders above fifty "
        "dollars. "
        "You will get a message with a link as soon as your parcel leaves the warehouse.",
        "Returns are free within thirty days. Please put the items into the box they came in, "
        "and stick the label that I am sending you on top of the old one.",
        "That lamp has a warranty of two years, which covers the switch, the cable and the shade. "
        "If anything breaks we send you a new one.",
    ),
    "zh": (
        "标准配送需要三到五个工作日，满三百五十元免运费。包裹一发出，我们就会给您发一条带链接的短信。",
        "三十天内可以免费退货。请把商品放回原来的盒子里，再把我发给您的标签贴在旧标签上面。",
        "这款台灯保修两年，开关、电线和灯罩都包括在内。如果有什么坏了，我们会给您寄一个新的。",
    ),
}  # fmt: skip
GREETING = {
    "en": "Hello, this is a test of turn taking. How can I help?",
    "zh": "您好，这里是测试。请问有什么可以帮您？",
}
WAITING = {"en": "Sure, take your time.", "zh": "好的，您慢慢来。"}
STILL_THERE = {"en": "Are you still there?", "zh": "您还在吗？"}
FIRST_HZ, STEP_HZ, TONES = 300.0, 70.0, 80
"""Word n of a reply is a tone of its own, so that the ear can tell which words it has heard."""


class ScriptVad(Extension):
    """Hears the voices of the script, and coughs, as late as a real detector does."""

    inputs = (AudioFrame,)

    def __init__(self, caller: Caller, random: Random, outputs: Mapping[str, type[Message]]) -> None:
        self.outputs = outputs  # type: ignore[misc]
        """Those of the node that it stands for."""
        self._caller = caller
        self._random = random

    async def start(self) -> None:
        self._speaking_since_s: float | None = None
        self._heard_to_s = 0.0
        self._told_pause = False
        self._new_onset()

    def _new_onset(self) -> None:
        self._delay_s = min(0.3, max(0.03, self._random.lognormvariate(np.log(0.066), 0.5)))

    async def handle(self, message: Message, emit: Emit) -> None:
        assert isinstance(message, AudioFrame)
        now_s = message.time_s + FRAME_S
        voice = self._voice_until(now_s)
        if self._speaking_since_s is None:
            if voice and now_s - voice[0] >= self._delay_s:
                self._speaking_since_s, self._heard_to_s = voice[0], voice[1]
                self._told_pause = False
                self._new_onset()
                await self._tell("speech_started", SpeechStarted(voice[0], level_db=voice[2]), emit)
            return
        if voice and voice[1] > self._heard_to_s:
            self._heard_to_s, self._told_pause = voice[1], False
        silent_s = now_s - self._heard_to_s
        if not self._told_pause and silent_s >= FRAME_S:
            self._told_pause = True
            await self._tell("speech_paused", None, emit)
        if silent_s >= GAP_S:
            self._speaking_since_s = None
            await self._tell("speech_ended", SpeechEnded(self._heard_to_s), emit)

    async def _tell(self, port: str, message: Message | None, emit: Emit) -> None:
        if port not in self.outputs:
            return
        await emit(port, message or self.outputs[port](time_s=self._heard_to_s))  # type: ignore[call-arg]

    def _voice_until(self, now_s: float) -> tuple[float, float, float] | None:
        """Start, end up to now, and level of the latest voice that has begun and is not over for long."""
        found = None
        for placed in self._caller.placed:
            if not _sounds_like_a_voice(placed):
                continue
            for span in placed.spans:
                since_s = self._speaking_since_s
                if span.start_s < now_s and (span.end_s > now_s - GAP_S or since_s is not None):
                    end_s = min(span.end_s, now_s)
                    if found is None or end_s >= found[1]:
                        found = span.start_s, end_s, placed.event.level_db
        return found


def _sounds_like_a_voice(placed: Placed) -> bool:
    """Doors and keys do not; whether something quiet is heard depends on its level."""
    return placed.event.label not in ("noise", "silence") and placed.event.level_db >= -45


class ScriptStt(Extension):
    """Understands each word of the script some time after it was said, and the rest at the end of speech.

    Wrong words are not in it: they are not what turn-taking is tried for here.
    """

    inputs = (AudioFrame, SpeechStarted, SpeechEnded)
    outputs = {"asr_result": Transcript}

    def __init__(
        self, caller: Caller, language: str, random: Random, lag_s: float = 0.25, end_s: float = 0.08
    ) -> None:
        self._caller = caller
        self._language = language
        self._random = random
        self._lag_s = lag_s
        """From the end of a word to an interim transcript with it."""
        self._end_s = end_s
        """From the end of speech to the final one."""

    async def start(self) -> None:
        self._since_s: float | None = None
        self._told = ""
        self._final: tuple[float, float, float] | None = None
        """When a final transcript is due, and from when to when it tells of."""

    async def handle(self, message: Message, emit: Emit) -> None:
        match message:
            case SpeechStarted():
                if self._final is not None and self._since_s is None:
                    await self._finish(emit)
                self._since_s, self._told = message.time_s, ""
            case SpeechEnded():
                if self._since_s is not None:
                    delay_s = self._end_s * self._random.uniform(0.5, 2)
                    self._final = message.time_s + GAP_S + delay_s, self._since_s, message.time_s
                    self._since_s = None
            case AudioFrame():
                await self._listen(message.time_s + FRAME_S, emit)

    async def _listen(self, now_s: float, emit: Emit) -> None:
        if self._final is not None and now_s >= self._final[0]:
            await self._finish(emit)
        if self._since_s is not None:
            text = self._text(self._since_s, now_s - self._lag_s)
            if text != self._told:
                self._told = text
                stable = len(text)
                await emit("asr_result", Transcript(text, False, self._language, end_s=now_s, stable=stable))

    async def _finish(self, emit: Emit) -> None:
        assert self._final is not None
        (_, since_s, until_s), self._final = self._final, None
        text = self._text(since_s, until_s + 0.1)
        confidence = 0.9 if text else 0.0
        await emit("asr_result", Transcript(text, True, self._language, confidence, end_s=until_s))

    def _text(self, since_s: float, until_s: float) -> str:
        """The words that were said between these times."""
        words: list[Word] = [word for placed in self._caller.placed for word in placed.words]
        return reduce(join, (word.text for word in words if since_s < word.end_s <= until_s), "")


class ToneAgent(Extension):
    """Answers with a known text, each word of it a tone of its own; waits when asked to."""

    inputs = (CallStarted, TurnEnded, Nudge)
    outputs = {"pcm_frame": Speech}

    def __init__(self, language: str, delay_s: float = 0.15) -> None:
        self._language = language if language in ANSWERS else "en"
        self._delay_s = delay_s
        """Of recognition, model and voice together."""

    async def start(self) -> None:
        self._answers = 0

    async def handle(self, message: Message, emit: Emit) -> None:
        text = self._text(message)
        await asyncio.sleep(self._delay_s)
        clauses = Cutter().push(text, complete=True)
        said = 0
        for number, clause in enumerate(clauses, 1):
            samples, words = spoken_tones(clause, said)
            said += len(words)
            await emit("pcm_frame", Speech(samples, clause, words, final=number == len(clauses)))

    def _text(self, message: Message) -> str:
        match message:
            case CallStarted():
                return GREETING[self._language]
            case TurnEnded(hold=True):
                return WAITING[self._language]
            case Nudge():
                return STILL_THERE[self._language]
        answers = ANSWERS[self._language]
        self._answers += 1
        return answers[self._answers % len(answers)]


def spoken_tones(clause: str, first: int = 0) -> tuple[Samples, tuple[Word, ...]]:
    """A clause as tones, with the times of its words; its first word is word `first` of the reply."""
    words = spread_words(clause)
    total = np.zeros(round((words[-1].end_s if words else 0.1) * SAMPLE_RATE))
    for number, word in enumerate(words, first):
        begin, end = round(word.start_s * SAMPLE_RATE), round((word.end_s - 0.03) * SAMPLE_RATE)
        t = np.arange(max(0, end - begin)) / SAMPLE_RATE
        hertz = FIRST_HZ + STEP_HZ * (number % TONES)
        total[begin : begin + len(t)] = 0.14 * np.sin(2 * np.pi * hertz * t)
    return np.rint(total * 32767).astype(np.int16), words
