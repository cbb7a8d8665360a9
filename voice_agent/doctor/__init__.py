"""What this machine can run in real time: two-second probes of models, and the graph to choose."""
