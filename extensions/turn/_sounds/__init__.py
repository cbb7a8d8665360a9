"""What a sound over the agent's voice is, by its sound alone, before a word of it is known.

See docs/turn-sounds.md; the model is trained by `python -m training.overlap_sounds`.
"""

from extensions.turn._sounds.features import Listener, summary
from extensions.turn._sounds.model import UNKNOWN, Kinds, shipped


def prepare() -> None:
    """Read the weights now instead of at the first sound; some milliseconds."""
    shipped()


__all__ = ["UNKNOWN", "Kinds", "Listener", "prepare", "shipped", "summary"]
