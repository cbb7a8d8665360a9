"""Telling what Whisper heard from what it made up: on silence, noise and cut sound it invents text.

What it invents comes from the subtitles it was trained on, and is known: see KNOWN.
"""

import math
import re
import zlib
from typing import NamedTuple

from voice_agent import audio
from voice_agent.message import Samples
from voice_agent.spoken import CJK

NO_SPEECH = 0.6
LOG_PROBABILITY = -1.0
COMPRESSION = 2.4
"""Whisper's own limits (openai/whisper, transcribe.py) for silence, for wild guesses and for repetition."""
SUSPICIOUS_NO_SPEECH = 0.2
SUSPICIOUS_LOG_PROBABILITY = -0.5
"""A text that callers do say, and Whisper makes up just as often, is taken for made up from here on."""
QUIET_DB = -65.0
"""RMS below which a sound is silence: 18 steps of the 32768."""
MAX_REPEATS = 4
"""The same words more often than this in a row are a loop; digits and "no, no, no" repeat less."""
LONGEST_LOOP = 4
"""Words."""
DOUBTED = 0.1

NEVER_SAID = (
    "thanks for watching", "thank you for watching", "thank you so much for watching",
    "thanks for watching and see you next time", "please subscribe", "please subscribe to my channel",
    "like and subscribe", "don't forget to like and subscribe", "see you in the next video",
    "i'll see you in the next video", "subtitles by the amara org community", "amara org",
    "transcription by castingwords", "subtitles by", "captions by",
    "谢谢观看", "感谢观看", "谢谢大家观看", "謝謝觀看", "感謝觀看", "请订阅我的频道",
    "下期再见", "我们下期再见",
    "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", "請不吝點贊 訂閱 轉發 打賞支持明鏡與點點欄目",
    "字幕由amara org社区提供", "字幕由amara org社區提供", "字幕志愿者", "中文字幕提供",
)  # fmt: skip
"""Endings of videos, in lower case without punctuation: no caller says them, so they are cut off wherever
they end a text."""
SELDOM_SAID = ("you", "thank you", "thanks", "bye", "bye bye", "so", "谢谢", "谢谢大家")
"""Made up on noise, and said by callers too: rejected as a whole text when the model is not sure of it. No
word for yes or no is among them: it may be all that a caller answers."""
MARKS = re.compile(r"[^\w' ]+|_")


class Understood(NamedTuple):
    """A transcript, and how far it can be trusted: 0..1."""

    text: str
    confidence: float


NOTHING = Understood("", 0.0)


def is_silent(samples: Samples) -> bool:
    """Whether a sound, shape (n,), is too quiet for speech. Whisper is not asked then."""
    return audio.level_db(samples) < QUIET_DB


def judge(text: str, log_probability: float, no_speech_probability: float) -> Understood:
    """Reject what the model made up; the confidence is the mean probability of a token."""
    text = without_known_ending(text.strip())
    if not text or (no_speech_probability > NO_SPEECH and log_probability < LOG_PROBABILITY):
        return NOTHING
    unsure = no_speech_probability > SUSPICIOUS_NO_SPEECH or log_probability < SUSPICIOUS_LOG_PROBABILITY
    if unsure and _plain(text) in SELDOM_SAID:
        return NOTHING
    confidence = math.exp(min(0.0, log_probability))
    encoded = text.encode()
    if len(encoded) / len(zlib.compress(encoded)) > COMPRESSION or is_loop(text):
        return Understood(text, min(confidence, DOUBTED))
    return Understood(text, confidence)


def without_known_ending(text: str) -> str:
    """The text without sentences at its end that no caller says."""
    while (start := _last_sentence(text)) is not None:
        if _plain(text[start:]) not in NEVER_SAID:
            return text
        text = text[:start].rstrip()
    return text


def is_loop(text: str) -> bool:
    """Whether the same one to four words, or characters, follow each other too often."""
    words = re.findall(rf"[{CJK}]|[^\W{CJK}]+", text.casefold())
    for size in range(1, LONGEST_LOOP + 1):
        repeats = 0
        for at in range(size, len(words)):
            repeats = repeats + 1 if words[at] == words[at - size] else 0
            # Digits of an order or telephone number may well be the same.
            if repeats >= MAX_REPEATS * size and not words[at].isdecimal():
                return True
    return False


def _last_sentence(text: str) -> int | None:
    """Where the last sentence begins; None when there is no text."""
    if not text.strip():
        return None
    ends = [match.end() for match in re.finditer(r"[.!?。！？](?=\s|[^\x00-\x7f])\s*", text.rstrip())]
    ends = [end for end in ends if end < len(text.rstrip())]
    return ends[-1] if ends else 0


def _plain(text: str) -> str:
    """Lower case without punctuation."""
    return " ".join(MARKS.sub(" ", text.casefold().replace("’", "'")).split())
