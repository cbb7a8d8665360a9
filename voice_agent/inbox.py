"""A node's bounded queue, in two lanes.

The live lane holds what the caller does (no turn): when it is full, the oldest sound is dropped, so
it is never late. The reply lane holds what answers a turn: senders wait, and a stale turn is refused.
Two lanes because the perception side must never wait behind a reply.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from voice_agent.message import Message

LIVE_LIMIT = 50
"""One second of 20 ms frames."""
REPLY_LIMIT = 32
CONTROL_LIMIT = 1000
"""More waiting messages that may not be dropped than this mean that the node has stopped reading."""


T = TypeVar("T")


class Lane(Generic[T]):
    """What waits, in order, for one reader."""

    def __init__(self) -> None:
        self.items: deque[T] = deque()
        self._reader: asyncio.Future[None] | None = None
        """Who waits; a bare future, as this is every node's way to every frame."""

    def append(self, item: T) -> None:
        self.items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> T:
        """The oldest, waiting for one."""
        while not self.items:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self.items.popleft()


class Inbox:
    """Where the messages for one node wait."""

    def __init__(self, live_limit: int = LIVE_LIMIT, reply_limit: int = REPLY_LIMIT) -> None:
        self.live_limit = live_limit
        self.reply_limit = reply_limit
        self.live: Lane[Message] = Lane()
        self.reply: Lane[Message] = Lane()
        self.dropped = 0
        """Frames of live sound given up because the node was slow."""
        self.stale = 0
        """Messages of cancelled turns thrown away."""
        self.refused_turn = -1
        """Turns up to this one are cancelled."""
        self._room = asyncio.Event()

    async def put(self, message: Message) -> None:
        """Add a message; waits only where a reply meets a full lane."""
        if message.turn is None:
            self._put_live(message)
            return
        while not self._is_stale(message) and len(self.reply.items) >= self.reply_limit:
            self._room.clear()
            await self._room.wait()
        if self._is_stale(message):
            self.stale += 1
        else:
            self.reply.append(message)

    async def get_reply(self) -> Message:
        """The next message of a turn that is still wanted."""
        message = await self.reply.get()
        self._room.set()
        return message

    def discard(self, turn: int) -> None:
        """Throw away the messages of all turns up to this one, and refuse them from now on."""
        self.refused_turn = max(self.refused_turn, turn)
        kept = [message for message in self.reply.items if not self._is_stale(message)]
        self.stale += len(self.reply.items) - len(kept)
        self.reply.items.clear()
        self.reply.items.extend(kept)
        self._room.set()

    def _is_stale(self, message: Message) -> bool:
        return message.turn is not None and message.turn <= self.refused_turn

    def _put_live(self, message: Message) -> None:
        items = self.live.items
        if len(items) >= self.live_limit:
            oldest = next((index for index, item in enumerate(items) if item.kind == "audio_frame"), None)
            if oldest is not None:
                del items[oldest]
                self.dropped += 1
            elif message.kind == "audio_frame":
                self.dropped += 1
                return
            elif len(items) >= CONTROL_LIMIT:
                raise OverflowError(f"{len(items)} messages wait unread")
        self.live.append(message)
