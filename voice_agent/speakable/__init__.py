"""A text as it is to be said aloud, each of its characters with the place in the written text it comes from.

Captions and history show what is written; only voices see this. English and Chinese have rules for numbers,
dates, times, money, units and abbreviations; in other languages those are left to the voice.
"""

from voice_agent.speakable import chinese, english, markup
from voice_agent.speakable.rules import Rule, Spoken, apply

__all__ = ["Spoken", "speakable"]
RULES: dict[str, tuple[Rule, ...]] = {
    "en": (*markup.rules(english.SIGNS), *english.RULES),
    "zh": (*markup.rules(chinese.SIGNS), *chinese.RULES),
}
OTHER = tuple(markup.rules(english.SIGNS))


def speakable(text: str, language: str = "en") -> Spoken:
    """What to say of a clause, by its language as BCP 47. Never fails; "" where nothing is to be said."""
    return apply(RULES.get(language.split("-")[0].lower(), OTHER), text)
