"""The weaver's table of switch points, held against the interpreter itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED, NUMBER, SWITCH_POINTS

SAMPLES = 20_000
# Among them every thread that runs Python code for long is suspended at; whichever of them this version has.
EXPECTED = {"RESUME", "JUMP_BACKWARD", "POP_JUMP_BACKWARD_IF_FALSE", "POP_JUMP_BACKWARD_IF_TRUE", "CALL"}


@pytest.mark.skipif(FREE_THREADED, reason="without the GIL a thread stops anywhere: there is no table to hold")
def test_a_thread_is_suspended_only_at_what_the_table_names() -> None:
    script = Path(__file__).with_name("suspensions.py")
    done = subprocess.run([sys.executable, script, str(SAMPLES)], capture_output=True, text=True, check=True)
    observed = set(json.loads(done.stdout))
    assert observed <= SWITCH_POINTS
    assert observed >= EXPECTED & NUMBER.keys()
