"""Building blocks of the Realtime API's events; the classes are the `openai` package's own."""

import itertools
import uuid
from typing import Any

from pydantic import BaseModel

Event = dict[str, Any]


def new_id(prefix: str) -> str:
    """An identifier such as `item_3f2a...`, in the API's style."""
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


class Events:
    """Numbers the events of one call, and knows the conversation's latest item."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._last_item: str | None = None

    def make(self, cls: type[BaseModel], type_: str, **fields: Any) -> Event:
        """An event of the API. Raises ValidationError if a field is none of this event's."""
        event = cls(event_id=self._next_id(), type=type_, **fields)
        return event.model_dump(mode="json", exclude_none=True)

    def extra(self, name: str, **fields: Any) -> Event:
        """An event that the API does not have; other clients ignore it."""
        return {"type": f"voice_agent.{name}", "event_id": self._next_id(), **fields}

    def add_item(self, item_id: str) -> str | None:
        """An item joins the conversation; returns the one before it."""
        previous, self._last_item = self._last_item, item_id
        return previous

    @property
    def last_item(self) -> str | None:
        """The conversation's latest item."""
        return self._last_item

    def _next_id(self) -> str:
        return f"event_{next(self._ids)}"
