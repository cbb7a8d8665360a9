"""A message that came out, as what JSON can hold: sound as its length and level."""

import dataclasses
from typing import Any

from voice_agent import audio
from voice_agent.message import Message
from voice_agent.trial.play import Output


def line(output: Output) -> dict[str, Any]:
    """Port, class, times, and the message's fields."""
    return {
        "port": output.port,
        "type": type(output.message).__name__,
        "audio_s": round(output.audio_s, 3),
        "took_ms": round(output.took_ms, 2),
        **fields(output.message),
    }


def fields(message: Message) -> dict[str, Any]:
    """What a message holds."""
    return {
        field.name: _value(field.name, getattr(message, field.name)) for field in dataclasses.fields(message)
    }


def _value(name: str, value: Any) -> Any:
    if name == "samples":
        seconds = len(value) / audio.SAMPLE_RATE
        return {"seconds": round(seconds, 4), "level_db": round(audio.level_db(value), 1)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _value(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, (tuple, list)):
        return [_value("", item) for item in value]
    if isinstance(value, dict):
        return {str(key): _value("", item) for key, item in value.items()}
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
