"""What a `for` loop takes out of a container is a read of the item: lost updates are found, and no others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import Recording

COMMON = """\
import threading, time
from collections import OrderedDict, defaultdict, deque
THREADS, TIMES, SIZE = 3, 8, 6
items, queue, data = [0] * SIZE, deque([0] * SIZE), bytearray(SIZE)
table, ordered = {str(i): 0 for i in range(SIZE)}, OrderedDict((i, 0) for i in range(SIZE))
counts = defaultdict(int, {i: 0 for i in range(SIZE)})

def run(work):
    barrier = threading.Barrier(THREADS)
    def together():
        barrier.wait()
        for _ in range(TIMES):
            work()
    threads = [threading.Thread(target=together) for _ in range(THREADS)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

def work():
{body}
run(work)
print(THREADS * TIMES * SIZE - sum({result}))
"""
# the loop, what is incremented, the label of its locations
LOOPS = {
    "enumerate": ("for i, v in enumerate(items): time.sleep(0); items[i] = v + 1", "items"),
    "enumerate from 1": ("for i, v in enumerate(items, 1): time.sleep(0); items[i - 1] = v + 1", "items"),
    "a list": ("i = 0\nfor v in items: time.sleep(0); items[i] = v + 1; i += 1", "items"),
    "a list, reversed": ("i = SIZE\nfor v in reversed(items): time.sleep(0); i -= 1; items[i] = v + 1", "items"),
    "a list, by iter": ("i, it = 0, iter(items)\nfor v in it: time.sleep(0); items[i] = v + 1; i += 1", "items"),
    "a bytearray": ("for i, v in enumerate(data): time.sleep(0); data[i] = v + 1", "data"),
    "a deque": ("i = 0\nfor v in queue: time.sleep(0); queue[i] = v + 1; i += 1", "queue"),
    "a deque, reversed": ("i = SIZE\nfor v in reversed(queue): time.sleep(0); i -= 1; queue[i] = v + 1", "queue"),
    "a deque, enumerated": ("for i, v in enumerate(queue): time.sleep(0); queue[i] = v + 1", "queue"),
    "items()": ("for k, v in table.items(): time.sleep(0); table[k] = v + 1", "table"),
    "items(), reversed": ("for k, v in reversed(table.items()): time.sleep(0); table[k] = v + 1", "table"),
    "items() of a defaultdict": ("for k, v in counts.items(): time.sleep(0); counts[k] = v + 1", "counts"),
    "items() of an OrderedDict": ("for k, v in ordered.items(): time.sleep(0); ordered[k] = v + 1", "ordered"),
    "values()": ("i = 0\nfor v in table.values(): time.sleep(0); table[str(i)] = v + 1; i += 1", "table"),
    "values(), enumerated": ("for i, v in enumerate(counts.values()): time.sleep(0); counts[i] = v + 1", "counts"),
}


def program(loop: str, result: str) -> str:
    return COMMON.replace("{body}", "\n".join("    " + line for line in loop.split("\n"))).replace("{result}", result)


@pytest.mark.parametrize("way", LOOPS)
def test_the_law(way: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    loop, container = LOOPS[way]
    if FREE_THREADED and "values()" in way:
        pytest.skip("without the GIL the key of a value is not to be had")
    script = tmp_path / "loop.py"
    script.write_text(program(loop, container if container in ("items", "queue", "data") else f"{container}.values()"))
    for run in range(1, 9):  # on a busy machine each thread may run to its end before the next
        recording = record("--switch-interval", "1e-5", script)
        assert recording.exit_code == 0, recording.stderr
        missing = int(recording.stdout)
        bounds = recording.bounds(run)
        assert all(label.startswith(f"{container}[") for label in bounds)
        low, high = (sum(each[side] for each in bounds.values()) for side in (0, 1))
        assert low <= missing <= high
        assert low == high or FREE_THREADED
        assert recording.query("SELECT unseen FROM runs WHERE id = ?", run) == [(0,)]
        if missing:
            certainties = recording.query(
                "SELECT DISTINCT write.certainty FROM lost_updates JOIN events AS write"
                " ON write.run_id = lost_updates.run_id AND write.seq = lost_seq WHERE lost_updates.run_id = ?",
                run,
            )
            assert certainties == [("proven",)]
            return
    pytest.fail("nothing was lost: these runs show nothing")


# None of them writes what it took: the index, the key, what came from elsewhere.
BLIND = [
    "for i, v in enumerate(items): time.sleep(0); items[i] = i * 2",
    "for k, v in ordered.items(): time.sleep(0); ordered[k] = k * 2",
    "for i in range(SIZE): time.sleep(0); items[i] = i + 1",
    "for i, v in enumerate(range(SIZE)): time.sleep(0); items[i] = v + 1",
    "for i, v in enumerate(list(table.values())): time.sleep(0); items[i] = v + 1",
    "for i, v in zip(range(SIZE), (1, 2, 3, 4, 5, 6)): time.sleep(0); items[i] = v",
    "for v in (each for each in (1, 2, 3)): time.sleep(0); items[v] = v",
    "for v in [n for n in range(SIZE)]: time.sleep(0); items[v] = v",
]


@pytest.mark.parametrize("loop", BLIND)
def test_what_does_not_flow_is_no_source(loop: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "loop.py"
    script.write_text(program(loop, "[]"))
    recording = record("--switch-interval", "1e-5", script)
    assert recording.exit_code == 0, recording.stderr
    assert recording.bounds() == {}
    assert recording.query("SELECT unseen FROM runs") == [(0,)]


def test_pairs_that_are_items(record: Callable[..., Recording], tmp_path: Path) -> None:
    """Of a list of pairs both parts come out of the item."""
    script = tmp_path / "pairs.py"
    script.write_text("""
import threading
pairs = [(0, 0)]
has_read, has_written = threading.Event(), threading.Event()
def slow():
    for a, b in pairs:
        has_read.set(); has_written.wait()
        pairs[0] = (a + 1, 0)
def fast():
    has_read.wait()
    for a, b in pairs:
        pairs[0] = (0, b + 1)
    has_written.set()
threads = [threading.Thread(target=each) for each in (slow, fast)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""")
    recording = record(script)
    recording.assert_lost({"pairs[0]": 1})


def test_a_sum_of_items(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "sum.py"
    script.write_text("""
import threading
totals = {"a": 1}
has_read, has_written = threading.Event(), threading.Event()
def slow():
    total = 0
    for value in totals.values():
        total += value
    has_read.set(); has_written.wait()
    totals["a"] = total + 1
def fast():
    has_read.wait()
    totals["a"] += 1
    has_written.set()
threads = [threading.Thread(target=each) for each in (slow, fast)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""")
    if FREE_THREADED:
        pytest.skip("without the GIL the key of a value is not to be had")
    recording = record(script)
    recording.assert_lost({"totals['a']": 1})
