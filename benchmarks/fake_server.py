"""A real server whose models are stand-ins, so that what is measured is everything around them."""

from pathlib import Path

import uvicorn

from extensions.client.webrtc import WebRtcClient
from extensions.text.clause import ClauseCutter
from extensions.turn.silence import SilenceTurn
from tests.calls.stand_ins import EchoLlm, LevelVad, NumberingStt, ToneTts
from voice_agent.commands.serve import listen
from voice_agent.graph import Edge, Graph, Node
from voice_agent.server import make_app

CLASSES = {
    "client": WebRtcClient,
    "vad": LevelVad,
    "stt": NumberingStt,
    "turn": SilenceTurn,
    "llm": EchoLlm,
    "clause": ClauseCutter,
    "tts": ToneTts,
}
EDGES = [
    Edge("client", "pcm_frame", "vad"),
    Edge("client", "pcm_frame", "turn"),
    Edge("client", "call_started", "llm"),
    Edge("client", "heard", "turn"),
    Edge("client", "heard", "llm"),
    Edge("vad", "speech_started", "turn"),
    Edge("vad", "speech_started", "client"),
    Edge("vad", "speech_ended", "turn"),
    Edge("vad", "speech_ended", "stt"),
    Edge("vad", "speech_ended", "client"),
    Edge("stt", "asr_result", "turn"),
    Edge("stt", "asr_result", "client"),
    Edge("turn", "turn_ended", "llm"),
    Edge("turn", "turn_ended", "client"),
    Edge("llm", "text", "clause"),
    Edge("clause", "clause", "tts"),
    Edge("clause", "clause", "client"),
    Edge("tts", "pcm_frame", "client"),
]


def main() -> None:
    """Serve on a free port, and say which."""
    nodes = tuple(Node(name, f"stand_in.{name}", cls, {}) for name, cls in CLASSES.items())
    graph = Graph("stand_ins", Path("stand_ins"), nodes, EDGES)
    listener = listen("127.0.0.1", 0)
    print(f"Serving calls at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    config = uvicorn.Config(make_app(graph), log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
