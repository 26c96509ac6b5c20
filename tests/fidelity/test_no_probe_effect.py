"""A recording must not make the bug that it reports.

With the GIL, `+=` has no switch point between its read and its write: untraced, two threads never lose an increment.
Whatever is lost here was lost to the hooks.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import Recording

INCREMENTS = int(os.environ.get("OPCODETRACE_TEST_INCREMENTS", "25000"))  # of each thread, of each counter
COUNTERS = [
    "items[0]",
    "items[index]",
    "table['key']",
    "table[key]",
    "account.balance",
    "Account.total",
    "hits",
    "cell",
]

PROGRAM = """\
import sys
from threading import Barrier, Thread

class Account:
    balance = 0
    total = 0

items, index, table, key, account, hits = [0, 0], 1, {"key": 0, 1.5: 0}, 1.5, Account(), 0

def main():
    cell = 0
    barrier = Barrier(2)

    def work():
        global hits
        nonlocal cell
        barrier.wait()
        for _ in range(INCREMENTS):
            COUNTER += 1

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(COUNTER)

sys.setswitchinterval(1e-6)
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(FREE_THREADED, reason="without the GIL the untraced program loses increments too")
@pytest.mark.parametrize("counter", COUNTERS)
def test_no_increment_is_lost(counter: str, tmp_path: Path, record: Callable[..., Recording]) -> None:
    script = tmp_path / "increments.py"
    script.write_text(PROGRAM.replace("INCREMENTS", str(INCREMENTS)).replace("COUNTER", counter))
    recording = record(script)
    assert recording.stdout == f"{2 * INCREMENTS}\n", recording.stderr
    recording.assert_lost({})
    switches = recording.query("SELECT count(*) FROM switches WHERE run_id = 1")
    assert switches[0][0] != 0  # otherwise nothing was tried


# What hot code runs without a look at the eval breaker: the interpreter's own ways to do it, in place of a call.
BETWEEN = [
    "row.append(1)",
    "len(row)",
    "isinstance(row, list)",
    "1 in table",
    "type(row)",
    "row[0]",
    "table['key'] = 1",
]
CALLING = """\
import sys
from threading import Barrier, Thread
counter, barrier = [0], Barrier(2)
def work():
    row, table = [1], {}
    barrier.wait()
    for _ in range(30_000):
        value = counter[0]
        BETWEEN
        counter[0] = value + 1
sys.setswitchinterval(1e-6)
threads = [Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(60_000 - counter[0])
"""


@pytest.mark.skipif(FREE_THREADED, reason="without the GIL the untraced program loses increments too")
@pytest.mark.parametrize("between", BETWEEN)
def test_what_is_no_switch_point_does_not_become_one(
    between: str, tmp_path: Path, record: Callable[..., Recording]
) -> None:
    script = tmp_path / "calling.py"
    script.write_text(CALLING.replace("BETWEEN", between))
    recording = record(script)
    # Cold code may be switched there, in the first steps of each thread; hot code may not.
    ((overwriters,),) = recording.query("SELECT coalesce(sum(overwriters), 0) FROM lost_counts")
    assert int(str(overwriters)) <= 20, recording.stderr
    recording.assert_lost({"counter[0]": int(recording.stdout)})


RAISING = ["table['no']", "table[row[0]]", "row[7]", "del row[7]", "row.no", "row.remove(5)", "table.pop('no')"]


@pytest.mark.skipif(FREE_THREADED, reason="without the GIL the untraced program loses increments too")
@pytest.mark.parametrize("access", RAISING)
def test_an_exception_is_no_switch_point(access: str, tmp_path: Path, record: Callable[..., Recording]) -> None:
    """The write is in the handler: the compiler may put a jump backward, which is a switch point, after that."""
    script = tmp_path / "raising.py"
    write = "        counter[0] = value + 1\n"
    handled = f"        try: {access}\n        except (LookupError, AttributeError, ValueError):\n    {write}"
    script.write_text(CALLING.replace(f"        BETWEEN\n{write}", handled))
    recording = record(script)
    ((overwriters,),) = recording.query("SELECT coalesce(sum(overwriters), 0) FROM lost_counts")
    assert int(str(overwriters)) <= 20, recording.stderr
    recording.assert_lost({"counter[0]": int(recording.stdout)})


# A loop that takes the item and writes it has no switch point in between.
LOOPS = [
    "for i, v in enumerate(items): items[i] = v + 1",
    "for v in items: items[0] = v + 1",
    "for k, v in table.items(): table[k] = v + 1",
    "for v in table.values(): table['key'] = v + 1",
    "for v in queue: queue[0] = v + 1",
]
LOOPING = """\
import sys
from collections import deque
from threading import Barrier, Thread
items, table, queue, barrier = [0], {"key": 0}, deque([0]), Barrier(2)
def work():
    barrier.wait()
    for _ in range(20_000):
        LOOP
sys.setswitchinterval(1e-6)
threads = [Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(items[0] + table["key"] + queue[0])
"""


@pytest.mark.skipif(FREE_THREADED, reason="without the GIL the untraced program loses increments too")
@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_over_items_loses_nothing(loop: str, tmp_path: Path, record: Callable[..., Recording]) -> None:
    script = tmp_path / "looping.py"
    script.write_text(LOOPING.replace("LOOP", loop))
    recording = record(script)
    assert recording.stdout == "40000\n", recording.stderr
    recording.assert_lost({})
    assert recording.query("SELECT count(*) FROM switches WHERE run_id = 1")[0][0] != 0  # otherwise nothing was tried
