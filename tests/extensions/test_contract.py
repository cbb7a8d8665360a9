"""What every extension keeps to, whoever wrote it."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from voice_agent import audio, registry
from voice_agent.errors import GraphError, MissingExtra
from voice_agent.extension import Extension
from voice_agent.graph import load
from voice_agent.message import Message
from voice_agent.testing import attach, tone

NAMES = registry.names()


def extension_class(name: str) -> type[Extension]:
    try:
        return registry.find(name)
    except MissingExtra as error:
        pytest.skip(f"{name}: {error}")


@pytest.fixture
def properties(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The least configuration of those that have fields without a default, or want a service."""
    recording = tmp_path / "caller.wav"
    audio.write_wav(recording, tone(0.1))
    nowhere = {"base_url": "http://127.0.0.1:9/v1"}
    return {
        "client.wav": {"path": str(recording)},
        "stt.openai": nowhere,
        "stt.openai_realtime": nowhere,
        "llm.openai": nowhere,
        "tts.openai": nowhere,
    }


@pytest.mark.parametrize("name", NAMES)
def test_its_ports_carry_messages_and_it_says_what_it_is(name: str) -> None:
    cls = extension_class(name)
    assert all(issubclass(message, Message) for message in [*cls.inputs, *cls.outputs.values()])
    assert cls.inputs or cls.outputs
    assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}("), "a docstring of its own"
    assert cls.__mro__[1] is Extension, "no class between it and Extension"


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_property_is_refused_by_name(name: str, tmp_path: Path) -> None:
    extension_class(name)
    file = tmp_path / "graph.json"
    file.write_text(
        f'{{"nodes":[{{"type":"extension","name":"x","addon":"{name}","property":{{"volumn":1}}}}]}}'
    )
    with pytest.raises(GraphError, match=r"'x'.*'volumn'"):
        load(file)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_flushed_at_any_moment_and_leaves_nothing_behind(
    name: str, properties: dict[str, dict[str, Any]]
) -> None:
    """`start` may fail where a model is absent; then there is nothing to stop."""
    extension = extension_class(name)(**properties.get(name, {}))
    threads = set(threading.enumerate())

    async def main() -> None:
        emit = attach(extension)
        try:
            await extension.start()
        except Exception as error:
            pytest.skip(f"{name}: {error}")
        extension.flush()
        running = asyncio.ensure_future(extension.run(emit))
        await asyncio.sleep(0)
        extension.flush()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await extension.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    left = [thread for thread in set(threading.enumerate()) - threads if not thread.daemon]
    assert not left, "a thread that would keep the process alive"
