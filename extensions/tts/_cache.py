"""Rendered clauses, kept so that what has been said once costs no synthesis again.

    cache = ClauseCache(repr(self), self.vertical, self.cache_mb)     # in `start`, and in `prepare`
    cache.warm(self._render, self.voices)                             # in `prepare`
    speech = await cache.speech(clause, said, self._speak)            # in `handle`, of a voice that gives a
                                                                      # clause whole; else `get` and `keep`
    cache.forget()                                                    # in `stop`

Two shelves. One per process and voice is shared by all calls, and takes nothing but fixed clauses of the
vertical, which tell nothing of a caller. Whatever else a call has said, names and numbers among it, stands on
the call's own shelf, for the caller who asks to hear it again, and is gone when the call is.
"""

import itertools
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np

from extensions.tts import _level
from voice_agent import spoken
from voice_agent.dialogue.fixed import FixedTexts, fixed_texts
from voice_agent.dialogue.vertical import load_vertical
from voice_agent.errors import GraphError, ModelError, TurnError
from voice_agent.message import Clause, Samples, Speech, Word
from voice_agent.speakable import Spoken

log = logging.getLogger(__name__)
OWN_BYTES = 4 << 20
"""What one call may keep: two minutes of sound."""
WORD_BYTES = 150
"""About what one word's times take in memory."""
WAIT_S = 2.0
"""Calls wait so long for the shelf to fill; a slow voice goes on filling it while they come."""
LOOK_S = 0.5
"""So often a warming that waits for callers looks whether the process ends."""
Key = tuple[str, str]
"""Language and text, as the clause has them."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A clause's whole sound, without the pause that may follow it."""

    samples: Samples
    words: tuple[Word, ...]

    @property
    def size(self) -> int:
        """Bytes, about."""
        return self.samples.nbytes + WORD_BYTES * len(self.words)

    def speech(self, clause: Clause) -> Speech:
        """The sound as a message, with a pause unless the reply ends here."""
        samples = self.samples
        if not clause.final:
            samples = np.concatenate((samples, _level.pause_after(clause.text)))
        return Speech(samples, clause.text, self.words, clause.final, clause.protected, turn=clause.turn)


class Shelf:
    """So many bytes of clauses; what was not asked for the longest makes room. For any thread."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.warmed = False
        self._clauses: OrderedDict[Key, Rendered] = OrderedDict()
        self._lock = threading.Lock()
        self._speaking = 0
        self._quiet = threading.Event()
        self._quiet.set()

    def get(self, key: Key) -> Rendered | None:
        """A clause, which thereby is the newest."""
        with self._lock:
            rendered = self._clauses.get(key)
            if rendered is not None:
                self._clauses.move_to_end(key)
            return rendered

    def put(self, key: Key, rendered: Rendered) -> None:
        """Keep a clause; one that is larger than the shelf is not kept."""
        if rendered.size > self.max_bytes:
            return
        rendered.samples.flags.writeable = False  # many calls will read it
        with self._lock:
            if (old := self._clauses.pop(key, None)) is not None:
                self.bytes -= old.size
            self._clauses[key] = rendered
            self.bytes += rendered.size
            while self.bytes > self.max_bytes:
                self.bytes -= self._clauses.popitem(last=False)[1].size

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """While a caller waits for the voice, warming waits."""
        with self._lock:
            self._speaking += 1
            self._quiet.clear()
        try:
            yield
        finally:
            with self._lock:
                self._speaking -= 1
                if not self._speaking:
                    self._quiet.set()

    def wait_for_quiet(self) -> bool:
        """Wait until no caller waits for the voice; False when the process ends meanwhile."""
        while threading.main_thread().is_alive():
            if self._quiet.wait(LOOK_S):
                return True
        return False


class ClauseCache:
    """What a voice's node knows already: the process's fixed clauses, and what its own call has said."""

    def __init__(self, voice: str, vertical: str, max_mb: int) -> None:
        """`voice` tells apart what sounds different: the node's whole configuration. A vertical of "" has
        no fixed clauses."""
        self.vertical = vertical
        self.shared = _shelf(voice, max_mb << 20)
        self._own = Shelf(min(OWN_BYTES, max_mb << 20))

    def get(self, clause: Clause) -> Rendered | None:
        """The clause's sound if it is kept."""
        key = clause.language, clause.text
        return self.shared.get(key) or self._own.get(key)

    def keep(self, clause: Clause, rendered: Rendered) -> None:
        """Keep a clause that was synthesised to its end."""
        fixed = self._fixed(clause.language)
        shelf = self.shared if fixed and clause.text in fixed else self._own
        shelf.put((clause.language, clause.text), rendered)

    async def speech(
        self, clause: Clause, said: Spoken, speak: Callable[[Clause, Spoken], Awaitable[Rendered]]
    ) -> Speech | None:
        """The clause's sound, as it is kept or as `speak` makes it; of a text without a word there is none.
        None where there is nothing to tell."""
        if not spoken.word_spans(said.text):
            if not clause.text and not clause.final:
                return None
            silence: Samples = np.zeros(0, np.int16)
            return Speech(silence, clause.text, final=clause.final, protected=clause.protected)
        rendered = self.get(clause)
        if rendered is None:
            rendered = await speak(clause, said)
            self.keep(clause, rendered)
        return rendered.speech(clause)

    def forget(self) -> None:
        """The call is over: nothing of what only it has said remains."""
        self._own = Shelf(0)

    def warm(self, render: Callable[[Clause], Rendered], languages: Iterable[str]) -> None:
        """Render the vertical's fixed clauses in a thread, once per process and voice; the first of each
        language are there when this returns. Blocks for up to WAIT_S. Raises ModelError for a bad vertical.
        """
        try:
            texts = [(language, fixed.clauses) for language in languages if (fixed := self._fixed(language))]
        except GraphError as error:
            raise ModelError(str(error)) from error
        if not texts or self.shared.warmed:
            return
        self.shared.warmed = True
        clauses = [[Clause(text, language) for text in fixed] for language, fixed in texts]
        in_turn = [clause for row in itertools.zip_longest(*clauses) for clause in row if clause]
        thread = threading.Thread(target=self._fill, args=(render, in_turn), name="warm voice")
        thread.start()
        thread.join(WAIT_S)

    def _fill(self, render: Callable[[Clause], Rendered], clauses: Iterable[Clause]) -> None:
        for clause in clauses:
            room = self.shared.max_bytes - self.shared.bytes
            if not self.shared.wait_for_quiet() or room <= 0:
                return
            if self.shared.get((clause.language, clause.text)):
                continue
            try:
                rendered = render(clause)
            except TurnError as error:
                log.warning("the voice could not be warmed: %s", error)
                return
            if rendered.size > room:
                return
            self.shared.put((clause.language, clause.text), rendered)

    def _fixed(self, language: str) -> FixedTexts | None:
        if not self.vertical:
            return None
        vertical = load_vertical(self.vertical)
        base = vertical.speaks(language)
        return fixed_texts(self.vertical, base) if language.split("-")[0].lower() == base else None


@cache
def _shelf(voice: str, max_bytes: int) -> Shelf:
    return Shelf(max_bytes)
