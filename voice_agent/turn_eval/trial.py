"""One conversation with a graph: its nodes as they are, or stand-ins around its turn node alone."""

import asyncio
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from voice_agent import graph as graphs
from voice_agent.errors import GraphError
from voice_agent.extension import Extension
from voice_agent.inbox import Inbox
from voice_agent.message import (
    AudioFrame,
    Failed,
    Message,
    PlayedFrame,
    Samples,
    Speech,
)
from voice_agent.network.profile import Profile
from voice_agent.session import Session
from voice_agent.testing import VirtualLoop, Wiring
from voice_agent.turn_eval.caller import Caller, Placed
from voice_agent.turn_eval.client import Reply, TrialClient
from voice_agent.turn_eval.clock import WorkingLoop
from voice_agent.turn_eval.material import Material
from voice_agent.turn_eval.scenario import Conversation
from voice_agent.turn_eval.stand_ins import ScriptStt, ScriptVad, ToneAgent
from voice_agent.turn_eval.way import Direct, Network, Way

Nodes = Literal["fake", "real"]
Clock = Literal["virtual", "work"]
CLIENT, VAD, STT, TURN, AGENT, TAP = "client", "vad", "stt", "turn", "agent", "(tap)"


@dataclass(frozen=True)
class Setting:
    """How conversations are tried."""

    graph: graphs.Graph
    nodes: Nodes = "real"
    scripted_words: bool = False
    """Real nodes, but the recogniser understands what the script says."""
    clock: Clock = "virtual"
    network: Profile | None = None
    seed: int = 1


@dataclass(frozen=True)
class Note:
    """Something that was said between nodes."""

    time_s: float
    message: Message
    sure: bool = True
    """False of what belongs to a tentative turn."""


@dataclass
class Record:
    """All that is known of a conversation."""

    conversation: Conversation
    placed: list[Placed]
    left_out: list[int]
    caller: Samples
    """What the microphone was given."""
    agent: Samples
    """What the caller's loudspeaker played, of the same length."""
    notes: list[Note]
    confirmed: dict[int, float]
    """When tentative turns became sure."""
    given_up: dict[int, float]
    """When they were given up."""
    tentative: dict[int, float]
    """When they were opened."""
    replies: Mapping[int, Reply]
    """What the agent was to say in each turn."""
    scripted_words: bool
    """The recogniser was a stand-in."""


@dataclass
class _Log:
    """Filled while the session runs."""

    notes: list[Note] = field(default_factory=list)
    tentative: dict[int, float] = field(default_factory=dict)
    confirmed: dict[int, float] = field(default_factory=dict)
    given_up: dict[int, float] = field(default_factory=dict)
    now: Callable[[], float] = lambda: 0.0


class _Session(Session):
    """Writes down what happens to tentative turns."""

    log: _Log

    def begin_turn(self, tentative: bool = False) -> int:
        turn = super().begin_turn(tentative)
        if tentative:
            self.log.tentative[turn] = self.log.now()
        return turn

    def confirm(self, turn: int) -> None:
        if self.is_tentative(turn):
            self.log.confirmed[turn] = self.log.now()
        super().confirm(turn)

    def interrupt(self) -> None:
        for turn in self.log.tentative:
            if self.is_tentative(turn):
                self.log.given_up[turn] = self.log.now()
        super().interrupt()


class _Tap(Inbox):
    """Keeps what it is sent, at once, so that no interruption takes it away."""

    def __init__(self, log: _Log, session: Session) -> None:
        super().__init__(live_limit=sys.maxsize)
        self._log = log
        self._session = session

    async def put(self, message: Message) -> None:
        self._log.notes.append(Note(self._log.now(), message, not self._session.is_tentative(message.turn)))


def converse(conversation: Conversation, material: Material, setting: Setting) -> Record:
    """Have the conversation. Raises what its nodes raise."""
    loop = VirtualLoop if setting.clock == "virtual" else WorkingLoop
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(_converse(conversation, material, setting))


async def _converse(conversation: Conversation, material: Material, setting: Setting) -> Record:
    caller = Caller(conversation, material.events(conversation))
    seed = zlib.crc32(f"{setting.seed}/{conversation.name}".encode())
    client = TrialClient(
        caller,
        conversation.language,
        material.background(conversation),
        conversation.echo,
        _way(setting, "up", seed),
        _way(setting, "down", seed),
    )
    words_of_script = (
        setting.nodes == "fake" or setting.scripted_words or not _understands(setting, conversation)
    )
    wiring = _wiring(setting, client, conversation.language, words_of_script, Random(seed))
    log = _Log()
    session = _Session(wiring, language=conversation.language)
    session.log = log
    session.nodes[TAP].inbox = _Tap(log, session)
    loop = asyncio.get_running_loop()
    log.now = lambda: loop.time() - client.began_s
    await session.start()
    await session.run()
    said, heard = client.tapes
    return Record(
        conversation, caller.placed, caller.left_out, said, heard,
        log.notes, log.confirmed, log.given_up, log.tentative,
        client.replies,
        words_of_script,
    )  # fmt: skip


def _way(setting: Setting, direction: Literal["up", "down"], seed: int) -> Way:
    return Network(setting.network, direction, seed) if setting.network else Direct()


# --- the graph ------------------------------------------------------------------------------------


def _one(graph: graphs.Graph, role: str) -> graphs.Node:
    found = [node for node in graph.nodes if node.addon.partition(".")[0] == role]
    if len(found) != 1:
        raise GraphError(f"{graph.path}: expected one node of the role '{role}', found {len(found)}")
    return found[0]


def check(graph: graphs.Graph) -> None:
    """Raises GraphError when a graph has not the nodes that a trial replaces or asks."""
    for role in ("client", "vad", "stt", "turn"):
        _one(graph, role)


def _understands(setting: Setting, conversation: Conversation) -> bool:
    languages = _one(setting.graph, "stt").extension_class.languages
    return not languages or conversation.language in languages


def _wiring(
    setting: Setting, client: TrialClient, language: str, words_of_script: bool, random: Random
) -> Wiring:
    stt = ScriptStt(client.caller, language, random)
    if setting.nodes == "fake":
        vad = ScriptVad(client.caller, random, _one(setting.graph, "vad").extension_class.outputs)
        turn = _one(setting.graph, "turn").build()
        nodes: dict[str, Extension] = {
            CLIENT: client, VAD: vad, STT: stt, TURN: turn, AGENT: ToneAgent(language),
        }  # fmt: skip
        return _tapped(nodes, _lines(nodes))
    nodes = setting.graph.build()
    nodes[_one(setting.graph, "client").name] = client
    if words_of_script:
        nodes[_one(setting.graph, "stt").name] = stt
    return _tapped(nodes, [(edge.source, edge.port, edge.dest) for edge in setting.graph.edges])


def _lines(nodes: Mapping[str, Extension]) -> list[tuple[str, str, str]]:
    """Every port to every node that takes its messages; sound of the caller not to those that need it not."""
    return [
        (source, port, dest)
        for source, node in nodes.items()
        for port, message in node.outputs.items()
        for dest, taker in nodes.items()
        if source != dest and issubclass(message, taker.inputs) and not (dest == CLIENT and source == VAD)
    ]


def _tapped(nodes: dict[str, Extension], lines: list[tuple[str, str, str]]) -> Wiring:
    """With a listener on every port that does not carry sound; first, so that it knows before others act."""
    sound = (AudioFrame, PlayedFrame, Speech)
    ports = [
        (source, port, TAP)
        for source, node in nodes.items()
        for port, message in {**node.outputs, "failed": Failed}.items()
        if not issubclass(message, sound)
    ]
    tap = _Nothing()
    return Wiring({**nodes, TAP: tap}, [*ports, *lines])


class _Nothing(Extension):
    """Takes what its inbox has kept already."""

    inputs = (Message,)
