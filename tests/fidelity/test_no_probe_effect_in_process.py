"""What is recorded in process is woven in place, and must not lose what it would not lose without (see
test_no_probe_effect)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.fidelity.test_no_probe_effect import COUNTERS, INCREMENTS, PROGRAM
from tests.recording import environment

BODY = PROGRAM.replace("\nmain()\n", """
import opcodetrace
with opcodetrace.record(database=sys.argv[1]) as recording:
    main()
print(recording.lost_at_most, recording.stored.switches > 0, recording.stored.accesses >= 4 * INCREMENTS)
""")  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(FREE_THREADED, reason="without the GIL the unrecorded program loses increments too")
@pytest.mark.parametrize("counter", COUNTERS)
def test_no_increment_is_lost(counter: str, tmp_path: Path) -> None:
    script = tmp_path / "increments.py"
    script.write_text(BODY.replace("INCREMENTS", str(INCREMENTS)).replace("COUNTER", counter))
    command = [sys.executable, str(script), str(tmp_path / "trace.db")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.stdout.split() == [str(2 * INCREMENTS), "0", "True", "True"], done.stderr
