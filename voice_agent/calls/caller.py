"""A simulated caller: dials, listens to the greeting, speaks its lines, waits as a person would, hangs up.

Any number of them can run in one process; nothing is shared.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from voice_agent.audio import SAMPLE_RATE
from voice_agent.calls.ear import Span, voiced
from voice_agent.calls.events import Response
from voice_agent.calls.loudspeaker import Echo
from voice_agent.calls.phone import Phone
from voice_agent.calls.script import Line
from voice_agent.network.profile import Profile
from voice_agent.network.relay import Relay


@dataclass(frozen=True)
class Manners:
    """How long the caller waits, in seconds."""

    answer_timeout_s: float = 10.0
    """For an answer to begin; an agent that stays silent longer is an error, and the call goes on."""
    end_timeout_s: float = 120.0
    """For an answer to end."""
    quiet_s: float = 0.4
    """Silence at the ear after which an answer that the server says is over is over."""
    gap_s: float = 0.4
    """Before the next line: people leave 0.2 s on average, and more when they have to think."""
    call_timeout_s: float = math.inf
    """For the whole call, after which the caller hangs up."""


@dataclass
class Spoken:
    """A line that was said, and what came of it."""

    line: Line
    voice: Span | None
    """Its voiced samples."""
    begins_s: float = 0.0
    """When it was decided to speak: all that happens from here on belongs to this turn."""
    frame: int = 0
    """Its first frame in the tape of what was sent."""
    interrupted: Response | None = None
    """The reply that it interrupts."""
    missed: str = ""
    """Why it interrupts none, though it was to."""
    error: str = ""


@dataclass
class Call:
    """All that was said, heard and told in a call, to be measured afterwards."""

    phone: Phone
    turns: list[Spoken] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ended_s: float = 0.0
    relay: Relay | None = None
    """The network on the caller's side."""


async def place_call(
    url: str,
    lines: Sequence[Line],
    *,
    language: str = "en",
    manners: Manners | None = None,
    network: Profile | None = None,
    network_seed: int | str = 1,
    echo: Echo | None = None,
    on_turn: Callable[[], None] = lambda: None,
) -> Call:
    """Make a call, through a simulated network and on a loudspeaker if they are given. Raises InputError when
    it does not come about; what goes wrong later is in `errors`. `on_turn` is called after each line.
    """
    relay = Relay(network, network_seed) if network else None
    caller = _Caller(Call(Phone(relay, echo), relay=relay), manners or Manners(), on_turn)
    try:
        await caller.call.phone.dial(url, language)
        await caller.converse(lines)
    finally:
        await caller.call.phone.hang_up()
        if relay is not None:
            relay.close()
    return caller.call


class _Caller:
    def __init__(self, call: Call, manners: Manners, on_turn: Callable[[], None]) -> None:
        self.call = call
        self.on_turn = on_turn
        self.phone = call.phone
        self.manners = manners

    async def converse(self, lines: Sequence[Line]) -> None:
        loop = asyncio.get_running_loop()
        timeout_s = self.manners.call_timeout_s
        try:
            async with asyncio.timeout(None if math.isinf(timeout_s) else timeout_s):
                await self._speak(lines)
        except TimeoutError:
            self._wrong(f"not over after {timeout_s:g} s", self._progress(lines))
        self.call.ended_s = loop.time()
        if self.phone.ended_because:
            self._wrong(self.phone.ended_because, self._progress(lines))

    def _progress(self, lines: Sequence[Line]) -> str:
        return f"{len(self.call.turns)} of {len(lines)} lines were said"

    async def _speak(self, lines: Sequence[Line]) -> None:
        loop = asyncio.get_running_loop()
        if not await self._answered(0.0):
            self._wrong("greeting", self._why("no greeting"))
        for number, line in enumerate(lines, start=1):
            turn = Spoken(line, voice=voiced(line.samples if line.clean is None else line.clean))
            turn.interrupted = await self._moment(turn)
            if turn.interrupted is None:
                await self._let_finish(f"before turn {number}")
                await asyncio.sleep(self.manners.gap_s)
            if self.phone.ended_because:
                break
            turn.begins_s = loop.time()
            turn.frame = self.phone.say(line.samples)
            self.call.turns.append(turn)
            await self.phone.until(lambda: not self.phone.speaking, len(line.samples) / SAMPLE_RATE + 5)
            if not await self._answered(turn.begins_s):
                turn.error = self._why("no answer")
                self._wrong(f"turn {number}", turn.error)
            self.on_turn()
        await self._let_finish("the end")

    async def _answered(self, since_s: float) -> bool:
        """Wait until a reply has begun that was not cut again."""
        timeout_s = self.manners.answer_timeout_s

        def answered() -> bool:
            begun = self.phone.events.begun_since(since_s)
            return any(not response.cut for response in begun)

        return await self.phone.until(answered, timeout_s)

    async def _let_finish(self, where: str) -> None:
        """Wait until the server says that nothing is being played, and it has been quiet for a while; and
        where the last answer was cut, by this caller's last words, for the one that follows.
        """

        def finished() -> bool:
            quiet_s = asyncio.get_running_loop().time() - self.phone.last_audible_s
            return self.phone.events.playing is None and quiet_s >= self.manners.quiet_s

        timeout_s = self.manners.end_timeout_s
        while await self.phone.until(finished, timeout_s):
            last = self.phone.events.last_begun
            if last is None or last.started_s is None or not last.cut:
                return
            if not await self._answered(last.started_s):
                self._wrong(where, "the last answer was cut, and none followed")
                return
        if not self.phone.ended_because:
            self._wrong(where, f"the agent had not finished after {timeout_s:g} s")

    async def _moment(self, turn: Spoken) -> Response | None:
        """Wait for the moment at which a line interrupts; returns the reply that it interrupts, None where
        it is to wait for the end, or there is nothing to interrupt.
        """
        if turn.line.barge_in_s is None:
            return None
        playing = self.phone.events.playing
        if playing is None or playing.started_s is None:
            turn.missed = "there was no answer to interrupt"
            return None
        lead_s = turn.voice.first / SAMPLE_RATE if turn.voice else 0.0
        wait_s = playing.started_s + turn.line.barge_in_s - lead_s - asyncio.get_running_loop().time()
        if wait_s > 0 and await self.phone.until(lambda: playing.ended_s is not None, wait_s):
            turn.missed = f"the answer had ended before {turn.line.barge_in_s:g} s of it"
            return None
        return playing

    def _why(self, what: str) -> str:
        return self.phone.ended_because or f"{what} within {self.manners.answer_timeout_s:g} s"

    def _wrong(self, where: str, what: str) -> None:
        self.call.errors.append(f"{where}: {what}")
