"""Right programs have no finding, whatever the switches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recording import record
from tests.truth.right_programs import PRELUDE, PROGRAMS, WOVEN


@pytest.mark.parametrize("interval", [(), ("1e-6",)], ids=["by default", "many switches"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_found(name: str, interval: tuple[str, ...], tmp_path: Path) -> None:
    script = tmp_path / "right.py"
    script.write_text(PRELUDE + PROGRAMS[name])
    woven = [option for module in WOVEN.get(name, ()) for option in ("--include", module)]
    recording = record(tmp_path / "trace.db", "-q", *woven, script, *interval)
    assert (recording.exit_code, recording.stdout) == (0, ""), recording.stderr
    assert recording.bounds() == {}
    assert recording.lost() == {}
    assert recording.query("SELECT kind, severity FROM findings WHERE kind != 'unseen write'") == []
