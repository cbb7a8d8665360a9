"""What the agent did about each event of a conversation: a row of figures for every event. Pure.

It is asked of the sound on both channels; messages only tell what sound cannot: that the caller was put on
hold, that a reply was over and not cut, that a turn had been ended before anything was heard of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from voice_agent.message import Heard, Hold, Nudge, Playback, TurnEnded, Word
from voice_agent.turn_eval.caller import PAUSE_S, Placed
from voice_agent.turn_eval.channel import MATCH_S, Ear, Shift, at, begun, shift
from voice_agent.turn_eval.material import Span
from voice_agent.turn_eval.scenario import DIRECTED, FLOOR, UNDIRECTED
from voice_agent.turn_eval.trial import Record

NO_YIELD_S = 2.0
"""tau-voice: the agent yields to an interruption within this time, or it does not."""
YIELD_S = 1.0
"""tau-voice: within this time a stop is put down to a backchannel, a vocal tic or speech to others; there
counted from its beginning, here from its end."""
RESPONSE_S = 2.0
"""tau-voice: within this time an answer is put down to such a sound in the agent's silence."""
ANSWER_S = 6.0
"""As long as the caller waits."""
ACKNOWLEDGED_S = 4.0
"""An acknowledgement of "hold on" begins and ends within this time."""
HOLD_KNOWN_S = 4.0
EDGE_S = 0.05
"""How exactly the places of words are known."""
OVER_S = 0.15
"""A reply that was over so near a silence ended by itself."""
SETTLED_S = 0.5
"""After the end of a sound the agent has so long to come back before what it says is compared."""


@dataclass
class Row:
    """What came of one event. Seconds; None for what does not apply or did not happen."""

    conversation: str
    language: str
    label: str
    text: str
    onset_s: float
    end_s: float
    over_agent: bool
    """The agent was speaking when it began."""
    finished: bool = False
    """What the agent said then came to its end by itself, before it was to have stopped."""
    stopped_s: float | None = None
    """From the onset to the agent's last audible sample, within the window of the label."""
    down_s: float | None = None
    """From the onset to the agent's being 12 dB down."""
    answered_s: float | None = None
    """From the end of the event to the agent's next beginning to speak, in time and before the caller's."""
    answerable: bool = False
    """Said to the agent, which was silent when it ended."""
    cut_ins: int = 0
    """How often the agent began to speak before the event was over."""
    pauses: int = 0
    """Pauses within it,"""
    cut_pauses: int = 0
    """and those in which its turn was ended."""
    waited_s: float | None = None
    """From the end of the event to the moment at which its turn was surely ended."""
    resumed_s: float | None = None
    """For how long it was silent before it went on with the same reply."""
    shift_s: float | None = None
    """What the agent repeated, or less than 0 lost, of its own voice around the event,"""
    shifted_words: int | None = None
    """and how many whole words that was, lost ones less than 0."""
    held: bool = False
    """It put the agent on hold."""
    kept_silent: bool | None = None
    """On hold, the agent said no more than an acknowledgement until the caller came back."""
    spoke: int = 0
    """Of "silence": how often the agent began to speak though nobody had said anything."""


def rows(record: Record) -> list[Row]:
    """Every event that was heard, in order."""
    view = _View(record)
    return [view.row(number) for number in range(len(record.placed))]


def as_json(row: Row) -> dict[str, object]:
    """Times to the millisecond."""
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(row).items()}


class _View:
    """One record, as it is asked about."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.ear = Ear(record.agent)
        self.spans = self.ear.stretches()
        self.until_s = len(record.agent) / 16_000
        self.ends = list(_sure_ends(record))

    def row(self, number: int) -> Row:
        placed = self.record.placed[number]
        event = placed.event
        over = at(self.spans, placed.onset_s) if event.label != "silence" else None
        row = Row(
            self.record.conversation.name,
            self.record.conversation.language,
            event.label,
            " … ".join(event.texts) or event.sound,
            placed.onset_s,
            placed.end_s,
            over_agent=over is not None,
        )
        if over is not None:
            self._overlap(row, placed, over)
        if event.label in DIRECTED:
            self._turn(row, placed, number)
        elif event.label in UNDIRECTED:
            self._undirected(row, placed, number)
        elif event.label == "wait":
            self._wait(row, placed, number)
        else:
            self._silence(row, placed)
        row.held = self._holds(placed.onset_s, placed.end_s + HOLD_KNOWN_S, number)
        return row

    # --- over the agent's voice ---

    def _overlap(self, row: Row, placed: Placed, over: Span) -> None:
        directed = placed.event.label in FLOOR
        limit_s = placed.onset_s + NO_YIELD_S if directed else placed.end_s + YIELD_S
        row.finished = over.end_s <= limit_s and self._over_by_itself(over.end_s)
        if over.end_s <= limit_s and not row.finished:
            row.stopped_s = over.end_s - placed.onset_s
        decided_s = self._decided(placed.onset_s, limit_s)
        if decided_s is not None:
            row.down_s = self.ear.down_after(placed.onset_s, decided_s, limit_s)
        if row.stopped_s is not None:
            row.resumed_s = self._resumed(over)
        if placed.event.label in UNDIRECTED:
            self._shift(row, placed)

    def _decided(self, start_s: float, end_s: float) -> float | None:
        """When the agent's voice was first to be turned down, paused or cut."""
        for note in self.record.notes:
            message = note.message
            down = isinstance(message, Playback) and message.mode != "full"
            cut = isinstance(message, Heard) and message.final and message.interrupted
            if start_s <= note.time_s <= end_s and (down or cut):
                return note.time_s
        return None

    def _resumed(self, over: Span) -> float | None:
        following = next((span for span in self.spans if span.start_s > over.end_s), None)
        if following is None or self._reply_at(following.start_s + 0.05) != self._reply_at(over.end_s - 0.05):
            return None
        return following.start_s - over.end_s

    def _over_by_itself(self, end_s: float) -> bool:
        """Whether a reply was over, and not cut, as the agent fell silent."""
        return any(
            isinstance(note.message, Heard)
            and note.message.final
            and not note.message.interrupted
            and abs(note.time_s - end_s) <= OVER_S
            for note in self.record.notes
        )

    def _shift(self, row: Row, placed: Placed) -> None:
        """Around a sound, if the same reply goes on after it."""
        reply = self._reply_at(placed.onset_s)
        after_s = placed.end_s + SETTLED_S
        following = [span for span in self.spans if span.end_s > after_s + MATCH_S]
        if reply not in self.record.replies or not following:
            return
        after_s = max(after_s, following[0].start_s)
        if self._reply_at(after_s + 0.05) != reply:
            return
        made = self.record.replies[reply]
        found = shift(self.record.agent, made.voice, placed.onset_s, after_s)
        if found is not None:
            row.shift_s = found.seconds
            row.shifted_words = whole_words(made.words, found)

    def _reply_at(self, time_s: float) -> int:
        """The reply that was being played then; -1 for none."""
        playing = -1
        for note in self.record.notes:
            if isinstance(note.message, Heard) and note.time_s <= time_s:
                playing = -1 if note.message.final else note.message.reply
        return playing

    # --- said to the agent ---

    def _turn(self, row: Row, placed: Placed, number: int) -> None:
        row.cut_ins = len(begun(self.spans, placed.onset_s, placed.end_s))
        row.pauses = len(placed.spans) - 1
        for before, after in zip(placed.spans, placed.spans[1:], strict=False):
            ended = any(before.end_s < time_s <= after.start_s for time_s in self.ends)
            row.cut_pauses += ended or bool(begun(self.spans, before.end_s, after.start_s))
        row.answerable = at(self.spans, placed.end_s) is None
        next_s = self._next_onset(number)
        if row.answerable:
            spoke = begun(self.spans, placed.end_s, min(placed.end_s + ANSWER_S, next_s))
            row.answered_s = spoke[0].start_s - placed.end_s if spoke else None
        ended_s = [time_s for time_s in self.ends if placed.end_s <= time_s < next_s]
        row.waited_s = ended_s[0] - placed.end_s if ended_s else None

    def _next_onset(self, number: int) -> float:
        """When the caller speaks to the agent again."""
        later = self.record.placed[number + 1 :]
        return next(
            (p.onset_s for p in later if p.event.label not in (*UNDIRECTED, "silence")), self.until_s + 1
        )

    # --- not for the agent ---

    def _undirected(self, row: Row, placed: Placed, number: int) -> None:
        """An answer to it is one that begins too soon after it, and was not due before it."""
        if self._answer_is_due(number):
            return
        since_s = placed.onset_s if not row.over_agent else self._end_of_reply(placed)
        until_s = min(max(placed.end_s, since_s) + RESPONSE_S, self._next_onset(number))
        before = self._reply_at(placed.onset_s)
        for span in begun(self.spans, since_s, until_s):
            if self._reply_at(span.start_s + 0.05) != before or not row.over_agent:
                row.answered_s = span.start_s - placed.end_s
                return

    def _end_of_reply(self, placed: Placed) -> float:
        """Of the stretch that was under way: what comes later is new, or the rest of the same reply."""
        over = at(self.spans, placed.onset_s)
        return over.end_s if over else placed.onset_s

    def _answer_is_due(self, number: int) -> bool:
        """Whether the caller has said something before it that is still to be answered."""
        placed = self.record.placed[number]
        for earlier in reversed(self.record.placed[:number]):
            if earlier.event.label in DIRECTED:
                return not begun(self.spans, earlier.end_s, placed.onset_s)
        return not begun(self.spans, 0.0, placed.onset_s) and not at(self.spans, 0.01)

    # --- hold and silence ---

    def _wait(self, row: Row, placed: Placed, number: int) -> None:
        """Of an agent that is asked to wait: at most a short acknowledgement until the caller is back."""
        until_s = min(self._next_onset(number), self.until_s)
        spoke = begun(self.spans, placed.end_s, until_s)
        still = at(self.spans, placed.end_s)
        allowed_s = placed.end_s + ACKNOWLEDGED_S
        reminded = [note.time_s for note in self.record.notes if isinstance(note.message, Nudge)]
        unasked = [
            span
            for span in [*([still] if still else []), *spoke]
            if min(span.end_s, until_s) > allowed_s
            and not any(time_s <= span.start_s <= time_s + 2.0 for time_s in reminded)
        ]
        row.kept_silent = not unasked

    def _holds(self, start_s: float, end_s: float, number: int) -> bool:
        end_s = min(end_s, self._next_onset(number))
        return any(
            start_s <= note.time_s <= end_s
            and (
                (isinstance(note.message, Hold) and note.message.on)
                or (isinstance(note.message, TurnEnded) and note.message.hold and note.sure)
            )
            for note in self.record.notes
        )

    def _silence(self, row: Row, placed: Placed) -> None:
        """The agent may ask whether the caller is still there, and nothing else."""
        nudged = [note.time_s for note in self.record.notes if isinstance(note.message, Nudge)]
        started = begun(self.spans, placed.start_s + PAUSE_S, placed.end_s)
        row.spoke = sum(not any(t <= span.start_s <= t + 2.0 for t in nudged) for span in started)


def whole_words(words: Sequence[Word], found: Shift) -> int:
    """How many words lie wholly in what was repeated, or with a minus in what was lost. A word that was cut
    in its midst and is then said from its start is not repeated: it is heard once as a whole."""
    start_s, end_s = sorted((found.at_s, found.at_s - found.seconds))
    inside = sum(word.start_s >= start_s - EDGE_S and word.end_s <= end_s + EDGE_S for word in words)
    return inside if found.seconds > 0 else -inside


def _sure_ends(record: Record) -> Iterator[float]:
    """When turns were surely ended."""
    for note in record.notes:
        if isinstance(note.message, TurnEnded):
            if note.sure:
                yield note.time_s
            elif (time_s := record.confirmed.get(note.message.turn or -1)) is not None:
                yield time_s


def self_interruptions(record: Record) -> int:
    """Replies cut while the caller had said nothing for 1.5 s: by the agent's own echo, or by noise."""
    count = 0
    for note in record.notes:
        if isinstance(note.message, Heard) and note.message.final and note.message.interrupted:
            count += not any(p.onset_s <= note.time_s <= p.end_s + 1.5 for p in record.placed)
    return count


def history_differs(record: Record) -> int:
    """Replies whose words, as told by the last Heard, are not a beginning of what was to be said."""
    told = {
        n.message.reply: n.message.text
        for n in record.notes
        if isinstance(n.message, Heard) and n.message.final
    }
    made = {reply: reply_made.text for reply, reply_made in record.replies.items()}
    return sum(not made.get(reply, "").startswith(text) for reply, text in told.items())
