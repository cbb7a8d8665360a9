"""The parts of an agent: one folder for each role, one file for each implementation."""

import os

# onnxruntime, which several of them load, reports each process to Microsoft unless it is told not to before
# it is imported. An agent tells nobody that it is used; whoever wants that can set the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
