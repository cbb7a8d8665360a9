"""After the rehearsal no event class is still to be built."""

import subprocess
import sys

CODE = """
from pydantic import BaseModel
from voice_agent.realtime import conversation, rehearsal
rehearsal.rehearse()
unbuilt = []
build = BaseModel.model_rebuild.__func__
def counting(cls, **options):
    unbuilt.append(cls.__name__)
    return build(cls, **options)
BaseModel.model_rebuild = classmethod(counting)
rehearsal.rehearse()
print(unbuilt)
"""


def test_the_first_call_builds_nothing() -> None:
    out = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"
