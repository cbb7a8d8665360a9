"""Scripted two-channel conversations with ground truth, and how well a graph takes turns in them."""
