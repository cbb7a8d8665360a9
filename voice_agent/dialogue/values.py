"""Which value of a slot a caller's words give, by the slot's type; all of it, or a part of it."""

from voice_agent.dialogue import slots, spelled
from voice_agent.dialogue.schema import Slot
from voice_agent.message import Answer


def find(slot: Slot, text: str, language: str) -> str | None:
    """The value in a text; None for none."""
    match slot.type:
        case "choice":
            return slots.choose(text, {value: words[language] for value, words in slot.choices.items()})
        case "digits":
            return slots.find_digits(text, slot.min_length, slot.max_length)
        case "letters":
            return spelled.find_spelled(text, slot.min_length, slot.max_length)
        case "email":
            return spelled.find_email(text)


def part(slot: Slot, text: str) -> str:
    """What was said of a longer number or code that was asked for; "" for nothing."""
    match slot.type:
        case "digits":
            return slots.part_of_digits(text, slot.max_length)
        case "letters":
            return spelled.part_of_spelled(text, slot.max_length)
        case _:
            return ""


def at_end(answer: Answer, text: str) -> int:
    """How many digits or letters of what was asked for a text ends with."""
    match answer:
        case "digits":
            return slots.digits_at_end(text)
        case "letters":
            return spelled.spelled_at_end(text)
        case _:
            return 0
