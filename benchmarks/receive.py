"""The receive path of stock aiortc and ours, side by side: the same packets, the same loss and jitter.

    python -m benchmarks.receive --seconds 60 --json FILE

In memory and in simulated time: nothing waits, only the processor time is real, from a packet's bytes on.
Stock aiortc has its receiver, jitter buffer and decoder, without the thread and the queue between them, which
are in its favour; and a resampler from its 48 kHz stereo to the 16 kHz mono that both must deliver. Ours is
polled every 20 ms besides, as the client does; `ours+RED` has the same voice with a whole copy of each packet
in the next one.

A packet of 20 ms is sent when its last sample has been recorded, is lost or not (independently), and is
on its way for |N(0, jitter)| milliseconds, so that packets overtake each other. Columns:

- delay: from sending a packet to handing on its sound, real or filled in; of ours a frame counts when it is
  handed on first. `way` is the part that the network has used.
- back: after one lost packet, without jitter, how long the delay is larger than before
- recovered: packets played from a copy, also those that came later themselves
- absent: frames of which nothing was ever handed on, neither sound nor filling
- discarded: packets that did arrive and whose sound was never handed on
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import RTCRtpReceiver
from aiortc.codecs import get_decoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from benchmarks.packets import TICKS, TYPES, Floats, Scenario, Stream, encode, stream, voice
from voice_agent.audio import FRAME_S, SAMPLE_RATE
from voice_agent.calls.report import machine
from voice_agent.media import rtp
from voice_agent.media.receive import ReceivePath
from voice_agent.media.rtp_link import blocks
from voice_agent.media.slots import Frame

LOSSES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.10)
JITTERS_MS = (0, 10, 20)
TAIL = 25
"""Packets at the end that are not counted, as both paths may still hold them."""
TICK_PHASE_S = 0.007
"""The poll's place between two packets."""
CLEAN = Scenario(0.0, 0)
ONE_LOST = Scenario(0.0, 0, one_lost=True)
LOSSY = Scenario(0.05, 10)


@dataclass(frozen=True)
class Figures:
    """Of one path on one network."""

    path: str
    scenario: str
    packets: int
    lost: int
    recovered: int
    concealed: int
    absent: int
    discarded: int
    delay_p50_ms: float
    delay_p95_ms: float
    way_p50_ms: float
    back_s: float | None
    """After one lost packet and without jitter, the time until the delay is what it was; None for never."""
    cpu_s_per_minute: float


@dataclass(frozen=True)
class HandedOn:
    """A frame that a path has delivered."""

    number: int
    """Of its packet."""
    at_s: float
    real: bool


def receiver() -> Any:
    """An aiortc receiver that knows Opus and has no connection."""

    class Transport:
        state = "connected"

    made: Any = RTCRtpReceiver("audio", Transport())  # type: ignore[arg-type]
    made._RTCRtpReceiver__codecs[TYPES.opus] = RTCRtpCodecParameters(
        mimeType="audio/opus", clockRate=rtp.CLOCK, channels=2, payloadType=TYPES.opus
    )
    return made


async def stock(network: Stream) -> tuple[list[HandedOn], ReceivePath | None]:
    """aiortc as it comes."""
    path = receiver()
    path._RTCRtpReceiver__decoder_thread = object()  # it only asks whether there is one
    queue = path._RTCRtpReceiver__decoder_queue
    decoder = get_decoder(path._RTCRtpReceiver__codecs[TYPES.opus])
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    out = []
    for number in network.arrivals():
        now = float(network.arrival_s[number])
        await path._handle_rtp_packet(RtpPacket.parse(network.datagrams[number]), round(now * 1000))
        while not queue.empty():
            _, encoded = queue.get()
            for frame in decoder.decode(encoded):
                assert isinstance(frame, av.AudioFrame)
                for resampled in resampler.resample(frame):
                    resampled.to_ndarray()
            out.append(HandedOn(encoded.timestamp // TICKS, now, real=True))
    return out, None


async def ours(network: Stream) -> tuple[list[HandedOn], ReceivePath | None]:
    """`voice_agent.media`, as a call has it from the datagram on."""
    path = ReceivePath()
    out: list[HandedOn] = []
    now = 0.0

    def keep(frames: list[Frame]) -> None:
        out.extend(HandedOn(frame.slot, now, not frame.gap) for frame in frames)

    tick_s = TICK_PHASE_S
    for number in network.arrivals():
        arrival_s = float(network.arrival_s[number])
        while tick_s < arrival_s:
            now, tick_s = tick_s, tick_s + FRAME_S
            keep(path.poll(now))
        now = arrival_s
        packet = rtp.parse(network.datagrams[number])
        *copies, own = blocks(packet, TYPES)
        keep(path.push(packet.sequence_number, packet.timestamp, own.payload, now, copies))
    return out, path


async def measure(
    drive: Callable[[Stream], Any], network: Stream, scenario: Scenario, path_name: str
) -> Figures:
    """The figures of a path on a network."""
    began_s = time.process_time()
    handed_on, path = await drive(network)
    cpu_s = time.process_time() - began_s
    count = len(network.datagrams) - TAIL
    first: dict[int, float] = {}
    real = set()
    for frame in handed_on:
        first.setdefault(frame.number, frame.at_s)
        if frame.real:
            real.add(frame.number)
    counted = [number for number in range(count) if number in first]
    delays_ms = np.array([(first[number] - network.sent_s[number]) * 1000 for number in counted])
    arrived = np.isfinite(network.arrival_s[:count])
    way_ms = (network.arrival_s[:count] - network.sent_s[:count])[arrived] * 1000
    lost = int((~arrived).sum())
    filled = [number for number in counted if number not in real]
    return Figures(
        path=path_name,
        scenario=scenario.name,
        packets=count,
        lost=lost,
        recovered=path.statistics.recovered if path else 0,
        concealed=len(filled),
        absent=count - len(counted),
        discarded=sum(bool(arrived[number]) and number not in real for number in range(count)),
        delay_p50_ms=round(float(np.percentile(delays_ms, 50)), 1),
        delay_p95_ms=round(float(np.percentile(delays_ms, 95)), 1),
        way_p50_ms=round(float(np.percentile(way_ms, 50)), 1),
        back_s=_back(counted, delays_ms) if scenario == ONE_LOST else None,
        cpu_s_per_minute=round(cpu_s / (len(network.datagrams) * FRAME_S) * 60, 3),
    )


def _back(numbers: list[int], delays_ms: Floats) -> float | None:
    """Seconds from the first frame that is slower than the one before the loss to the last; None if it is
    the last of all."""
    slow = np.flatnonzero(delays_ms > delays_ms[0] + 1)
    if not len(slow):
        return 0.0
    if slow[-1] == len(numbers) - 1:
        return None
    frames: int = numbers[slow[-1]] + 1 - numbers[slow[0]]
    return round(frames * FRAME_S, 2)


def scenarios() -> list[Scenario]:
    """Every loss with every jitter."""
    return [
        *(Scenario(0.0, jitter, one_lost=True) for jitter in JITTERS_MS),
        *(Scenario(loss, jitter) for loss in LOSSES for jitter in JITTERS_MS),
    ]


async def run(seconds: float, seed: int) -> list[Figures]:
    """All figures, stock aiortc's and ours in turn."""
    sound = voice(seconds, seed)
    packets, with_copies = encode(sound), encode(sound, "RED")
    figures = []
    for scenario in scenarios():
        network = stream(packets, scenario, seed)
        figures.append(await measure(stock, network, scenario, "aiortc"))
        figures.append(await measure(ours, network, scenario, "ours"))
        figures.append(await measure(ours, stream(with_copies, scenario, seed), scenario, "ours+RED"))
    return figures


def table(figures: list[Figures]) -> str:
    """For a person."""
    lines = [
        f"{'loss, jitter':18} {'path':8} {'delay P50':>9} {'P95':>6} {'way':>5} {'lost':>5} {'recov.':>6} "
        f"{'conc.':>6} {'absent':>6} {'discarded':>9} {'back':>7} {'CPU s/min':>9}"
    ]
    for row in figures:
        back = "never" if row.back_s is None else f"{row.back_s:g} s"
        if row.scenario != ONE_LOST.name:
            back = ""
        lines.append(
            f"{row.scenario:18} {row.path:8} {row.delay_p50_ms:9.1f} {row.delay_p95_ms:6.1f} "
            f"{row.way_p50_ms:5.1f} {row.lost:5} {row.recovered:6} {row.concealed:6} "
            f"{row.absent:6} {row.discarded:9} {back:>7} {row.cpu_s_per_minute:9.3f}"
        )
    return "\n".join(lines)


def failures(figures: list[Figures]) -> list[str]:
    """Which of the promises of docs/benchmarks.md does not hold."""
    mine = {row.scenario: row for row in figures if row.path == "ours"}
    red = {row.scenario: row for row in figures if row.path == "ours+RED"}
    clean, one, lossy = (mine[scenario.name] for scenario in (CLEAN, ONE_LOST, LOSSY))
    copied = red[LOSSY.name]
    cpu = {
        path: sum(row.cpu_s_per_minute for row in figures if row.path == path) for path in ("aiortc", "ours")
    }
    promises = {
        "no loss: P50 at most 30 ms": clean.delay_p50_ms <= 30,
        "one lost packet: back within 1 s": one.back_s is not None and one.back_s <= 1,
        "5 % loss, 10 ms jitter: P95 at most 80 ms": lossy.delay_p95_ms <= 80,
        "5 % loss, 10 ms jitter: no good packet discarded": lossy.discarded == copied.discarded == 0,
        "5 % loss: FEC brings half of it back": lossy.recovered >= 0.5 * lossy.lost,
        "5 % loss: RED brings nine tenths of it back": copied.concealed <= 0.1 * copied.lost,
        "no frame absent": not any(row.absent for row in [*mine.values(), *red.values()]),
        "less processor time than aiortc": cpu["ours"] < cpu["aiortc"],
    }
    return [promise for promise, kept in promises.items() if not kept]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="of call for each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    figures = asyncio.run(run(arguments.seconds, arguments.seed))
    missed = failures(figures)
    print(table(figures))  # noqa: T201
    print("\n".join(f"NOT KEPT: {promise}" for promise in missed) or "all promises kept")  # noqa: T201
    if arguments.json:
        rows = [asdict(row) for row in figures]
        report = {"machine": machine(), "seed": arguments.seed, "seconds": arguments.seconds, "rows": rows}
        arguments.json.write_text(json.dumps({**report, "not_kept": missed}, indent=2) + "\n")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
