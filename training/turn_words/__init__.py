"""Trains what tells finished words from unfinished ones; see README.md."""
