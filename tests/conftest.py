"""What every test may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The recordings and files to measure with, which are too large for this repository."""
    folder = os.environ.get("VOICE_AGENT_DATA")
    if not folder:
        pytest.skip("VOICE_AGENT_DATA does not name the folder with the recordings")
    return Path(folder)


@pytest.fixture(autouse=True, scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What calls record goes to a folder of the tests, not to the user's."""
    folder = tmp_path_factory.mktemp("state")
    os.environ["VOICE_AGENT_STATE"] = str(folder)
    return folder


@pytest.fixture(autouse=True, scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that the user has pulled are used by no test, unless the environment names their folder."""
    return Path(os.environ.setdefault("VOICE_AGENT_MODELS", str(tmp_path_factory.mktemp("models"))))
