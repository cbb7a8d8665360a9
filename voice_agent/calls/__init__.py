"""Simulated callers: they dial over real WebRTC, speak, listen, and measure what a person would hear."""
