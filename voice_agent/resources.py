"""Where the files that travel with the package are: graphs, verticals, the web page."""

from pathlib import Path

from voice_agent.errors import VoiceAgentError

PACKAGE = Path(__file__).parent
ROOTS = (PACKAGE / "bundled", PACKAGE.parent)
"""In an installed wheel, and in a checkout."""


def folder(name: str) -> Path:
    """The folder "graphs", "verticals" or "web_client"."""
    for root in ROOTS:
        if (root / name).is_dir():
            return root / name
    raise VoiceAgentError(f"the folder '{name}' is missing from this installation: install voice-agent again")
