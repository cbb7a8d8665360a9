"""A real-time voice agent: a graph of extensions between a caller's microphone and loudspeaker."""

__version__ = "0.1.0"
