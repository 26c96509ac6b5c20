"""Values that no record holds as they are, from the script to the report."""

from __future__ import annotations

from tests.recording import Scripts

# Each thread replaces what it read, and the second one did so in between: one update of each item is lost.
LOST = """
import enum, threading
class Color(enum.Enum):
    RED = 1
    BLUE = 2
class Thing: pass
old = [Color.RED, 'o' * 130, 10**30, (1, 2), [1, 2], Thing()]
new = [Color.BLUE, 'n' * 140, 10**31, (3, 4), [3, 4], Thing()]
state = {i: value for i, value in enumerate(old)}
have_read = threading.Barrier(2)
def work(mine):
    for i in range(len(old)):
        value = state[i]
        have_read.wait()
        state[i] = (value, mine)[1 if value else 0]
        have_read.wait()
threads = [threading.Thread(target=work, args=(value,)) for value in new[:2]]
for t in threads: t.start()
for t in threads: t.join()
for i, value in enumerate(new): state[i] = value
"""


def test_they_are_told_as_far_as_that_runs_no_code(scripts: Scripts) -> None:
    scripts.write("script.py", LOST)
    assert scripts.same("script.py") == 0
    values = {str(value) for (value,) in scripts.query("SELECT value FROM events WHERE value_type = 'object'")}
    told = {value.partition(" #")[0] + value.partition(">")[2] for value in values}
    assert told >= {
        "<Color = Color.RED",
        "<Color = Color.BLUE",
        f"<str = '{'o' * 40}…' of 130 characters",
        f"<str = '{'n' * 40}…' of 140 characters",
        f"<int = {10**30}",
        "<tuple = (1, 2)",
        "<list once [1, 2]",
        "<Thing",
    }
    report = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "Color.BLUE" in report
    assert "'nnnnnnnnnnnnnnnnnnn…' of 140 characters" in report
