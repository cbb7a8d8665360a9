"""Measurements that take real time; `make bench` runs them. Figures are in docs/benchmarks.md."""
