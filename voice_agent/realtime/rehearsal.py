"""Go through a whole conversation once before the first call.

The `openai` package builds its event classes when they are first used, half a second of work in all, during
which no call of this process would get any sound.
"""

from voice_agent.message import Clause, Heard, SpeechEnded, SpeechStarted, Transcript, TurnEnded
from voice_agent.realtime.conversation import Conversation


def rehearse() -> None:
    """Make an event of every class that a call can need."""
    conversation = Conversation("en", "rehearsal")
    conversation.session()
    conversation.session("session.updated")
    conversation.typed("hello")
    conversation.replies.begin(1)
    for message in (
        SpeechStarted(0.0),
        SpeechEnded(1.0),
        Transcript("hello", final=True),
        TurnEnded("hello", turn=2),
        Clause("Hello.", turn=2),
        Heard(2, ""),
        Heard(2, "Hello.", final=True),
        Heard(1, ""),
    ):
        conversation.on_message(message)
    conversation.replies.generated(2)
    conversation.replies.interrupted(1, 100)
    conversation.error("rehearsal", "rehearsal")
