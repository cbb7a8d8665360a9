"""Stress tests: many simulated callers over simulated networks, and a report that a person can read."""
