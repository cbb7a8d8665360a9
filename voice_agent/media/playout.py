"""What the caller's loudspeaker gets next, and what of it has been heard. No clock: `pull` is the clock.

    playout = Playout()
    playout.push(speech)                 # whenever the voice has made some
    samples = playout.pull()             # every 20 ms; silence when there is nothing to say
    for heard in playout.progress():     # what that made the caller hear
        await emit("heard", heard)
    playout.set_mode("ducked")           # while it is not sure what a sound of the caller means
    playout.cut()                        # when it is: the caller has interrupted
    playout.aside(samples)               # "mm-hm", which is no reply: softly, unless one is there

Ducked words have been heard. A pause goes back to the start of the word that it cut.
"""

from collections import deque

import numpy as np

from voice_agent.audio import FRAME, SAMPLE_RATE
from voice_agent.media.aside import Aside
from voice_agent.media.gain import Gain
from voice_agent.media.heard_log import HeardLog
from voice_agent.media.reply_sound import ReplySound
from voice_agent.message import Heard, PlaybackMode, Samples, Speech

FADE = 80
"""Samples, 5 ms: a voice that stops or goes on in mid-sound is faded over them, so that it does not click;
a longer fade would soften the onset of the word with which it goes on."""
RAMP = 480
"""Samples, 30 ms, for a way from full to silence; to ducked it is a little less. A voice's own loudness moves
as fast, so that it does not click; slower would be heard late."""
DUCKED = 10 ** (-15 / 20)
"""15 dB down: 12 is what makes room for the caller, and 3 more keep it where a vowel is louder than the one
before. The voice can still be understood, so that nothing is lost if the caller meant nothing by it."""
GAINS = {"full": 1.0, "ducked": DUCKED, "paused": 0.0}
SILENCE: Samples = np.zeros(FRAME, np.int16)
SILENCE.setflags(write=False)


class Playout:
    """The queue between the voice, which comes in bursts, and the loudspeaker, which never waits."""

    def __init__(self) -> None:
        self.log = HeardLog()
        """What has been heard of the latest replies, and when."""
        self._replies: deque[ReplySound] = deque()
        self._events: list[Heard] = []
        self._mode: PlaybackMode = "full"
        self._gain = Gain()
        self._fading: Samples = np.zeros(0, np.int16)
        """The end of what was stopped in mid-sound, to be played over what comes next."""
        self._aside = Aside()
        self._closed_turn = -1
        """Of replies up to this turn no more is taken."""

    @property
    def mode(self) -> PlaybackMode:
        """How the voice is played."""
        return self._mode

    @property
    def playing(self) -> int | None:
        """The turn whose reply is being played: from its first sample to its last, also while it
        waits for more of its voice, or pauses."""
        return self._replies[0].turn if self._replies and self._replies[0].begun else None

    @property
    def played_s(self) -> float:
        """Seconds of the reply being played that have been played."""
        return self._replies[0].played / SAMPLE_RATE if self._replies else 0.0

    @property
    def pending_s(self) -> float:
        """Seconds of voice that wait to be played."""
        return sum(reply.waiting for reply in self._replies) / SAMPLE_RATE

    @property
    def idle(self) -> bool:
        """Whether there is nothing to play, now or soon: no reply has begun to come."""
        return not self._replies and not len(self._fading) and not self._aside

    def push(self, speech: Speech) -> None:
        """Queue a stretch of a reply; replies are played one after the other. What comes after a
        reply's last stretch, after a cut, or after the next reply has begun, is ignored."""
        turn = speech.turn
        assert turn is not None, "speech belongs to a turn"
        if turn <= self._closed_turn:
            return
        if not self._replies or self._replies[-1].turn != turn:
            self._close()  # a reply given up without a last stretch
            self._replies.append(ReplySound(turn))
        self._replies[-1].push(speech)
        self._aside.end(FADE)
        if speech.final:
            self._close()

    def aside(self, samples: Samples) -> None:
        """Let a sign of listening be heard. No event tells of it, no cut and no pause concern it, and a reply
        goes before it."""
        if not self._replies:
            self._aside.begin(samples)

    def pull(self) -> Samples:
        """The next 20 ms, shape (320,)."""
        if self.idle:
            return SILENCE
        frame: Samples = np.zeros(FRAME, np.int16)
        if self._mode != "paused":
            self._fill(frame)
            self._gain.apply(frame)
        if len(self._fading):
            head = frame[: len(self._fading)].astype(np.int32) + self._fading
            frame[: len(self._fading)] = np.clip(head, -32768, 32767)
            self._fading = self._fading[:0]
        self._aside.mix(frame)
        return frame

    def progress(self) -> list[Heard]:
        """What the caller has come to hear since this was last asked, oldest first."""
        events, self._events = self._events, []
        return events

    def set_mode(self, mode: PlaybackMode) -> None:
        """From the next `pull` on: by a ramp where the voice goes on, and after a pause, in which nothing is
        played, with the start of the word that was cut."""
        before, self._mode = self._mode, mode
        if mode == before:
            return
        if self.playing is None:
            self._gain.jump(GAINS[mode])
        elif mode == "paused":
            self._fade_out()
        elif before == "paused":
            self._replies[0].rewind()
            self._gain.move(GAINS[mode], FADE)
        else:
            self._gain.move(GAINS[mode], RAMP)

    def cut(self) -> None:
        """The caller has interrupted: silence from the next `pull` on, after a fade of 5 ms. What comes next
        is played in full."""
        if self.playing is not None and self._mode != "paused":
            self._fade_out()
        self._close()
        for reply in self._replies:
            self._tell(reply, Heard(reply.turn, reply.heard, final=True, interrupted=True))
        self._replies.clear()
        self._mode = "full"
        self._gain.jump(1.0)

    def _fill(self, frame: Samples) -> None:
        filled = 0
        while self._replies and filled < FRAME:
            reply = self._replies[0]
            filled += reply.read(frame[filled:])
            for heard in reply.progress():
                self._tell(reply, heard)
            if not reply.over:
                break
            self._replies.popleft()

    def _tell(self, reply: ReplySound, heard: Heard) -> None:
        self._events.append(heard)
        self.log.note(heard, reply.played_ms)

    def _fade_out(self) -> None:
        """Stop in mid-sound; what follows is taken nothing of."""
        tail: Samples = np.zeros(FADE, np.int16)
        self._replies[0].peek(tail)
        faded = tail * np.linspace(self._gain.now, 0, FADE)
        if len(self._fading):  # it had only just gone on
            faded += self._fading
        self._fading = np.clip(faded, -32768, 32767).astype(np.int16)
        self._gain.jump(0.0)

    def _close(self) -> None:
        if self._replies:
            self._closed_turn = self._replies[-1].turn
            self._replies[-1].finish()
