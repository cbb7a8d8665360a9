"""Keeps clicks out of concealed sound: no step between two samples is larger than the voice had before."""

import numpy as np

from voice_agent.message import Samples

FADING = 0.995
"""By frame of 20 ms: what the voice did counts half after 2.8 s."""


class StepLimit:
    """Of one stream; sees the sound in order."""

    def __init__(self) -> None:
        self._largest = 0.0
        """Between two samples of the voice, of late."""
        self._last = 0

    def learn(self, samples: Samples) -> None:
        """Real sound, a packet of it."""
        steps = np.abs(np.diff(samples.astype(np.int32)))
        self._largest = max(self._largest * FADING, float(steps.max()))
        self._last = int(samples[-1])

    def apply(self, samples: Samples) -> Samples:
        """Made-up sound, or the decoder's first after it: where it moves faster than the voice did, it is
        held back until it has caught up."""
        wide = samples.astype(np.int32)
        if np.abs(np.diff(wide, prepend=self._last)).max() > self._largest:
            limit, level = int(self._largest), self._last
            for place, wanted in enumerate(wide.tolist()):
                level += max(-limit, min(limit, wanted - level))
                wide[place] = level
        self._last = int(wide[-1])
        limited: Samples = wide.astype(np.int16)
        return limited
