"""What `pip install` of the built wheel gives, and what the pinned requirements hold."""

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAVELLING = ("graphs", "verticals", "web_client")
PACKAGED = (".py", ".npz", ".txt", ".json")
"""Code, weights, lexicons and phrases."""
LOCKS = [ROOT / "requirements" / name for name in ("run.txt", "dev.txt")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by what is installed here: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    for folder in TRAVELLING:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"voice_agent/bundled/{path.relative_to(ROOT).as_posix()}" in inside
    for package in ("voice_agent", "extensions"):
        for path in (ROOT / package).rglob("*"):
            if path.suffix in PACKAGED:
                assert path.relative_to(ROOT).as_posix() in inside
    assert {"voice_agent/py.typed", "voice_agent/models/catalogue.json"} <= inside
    assert not any(name.startswith(("tests/", "docs/")) for name in inside)


@pytest.mark.slow
def test_the_installed_wheel_works_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, which sees our dependencies but not this checkout."""
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--quiet",
        str(wheel),
    ]
    subprocess.run(install, check=True)
    site_packages = next(environment.glob("lib/python*/site-packages"))
    _borrow_dependencies(site_packages)

    command = [str(environment / "bin" / "voice-agent"), "graph", "check", "embedded"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{site_packages}/voice_agent/bundled/graphs/embedded.json: ok:")

    code = (
        "import voice_agent.resources as r; print(*(r.folder(name) for name in ('verticals', 'web_client')))"
    )
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.split() == [f"{site_packages}/voice_agent/bundled/{name}" for name in TRAVELLING[1:]]


def _borrow_dependencies(site_packages: Path) -> None:
    """Link every package that is installed here, except this project."""
    for path in next(Path(sys.prefix).glob("lib/python*/site-packages")).iterdir():
        target = site_packages / path.name
        if not target.exists() and "voice_agent" not in path.name and path.suffix != ".pth":
            target.symlink_to(path)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_pinned_with_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"\w+://|^-|@ ", text, re.MULTILINE)
    blocks = re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n?", "", text, flags=re.MULTILINE).strip())
    assert len(blocks) > 50
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==[\w.+!]+( ; [^\n\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+$", block)


def test_both_locks_agree() -> None:
    run, dev = (dict(re.findall(r"^(\S+)==(\S+)", lock.read_text(), re.MULTILINE)) for lock in LOCKS)
    assert run.items() <= dev.items()


def test_every_extra_that_a_missing_package_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    sources = [path.read_text() for path in (ROOT / "extensions").rglob("*.py")]
    named = {extra for source in sources for extra in re.findall(r'requires\("(\w+)"\)', source)}
    assert named
    assert named <= extras.keys()
