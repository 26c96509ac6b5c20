"""The law: where every write adds k to what it read, the sum of k over the writes that are not lost is final − initial.
With k = 1: lost updates = writes − (final − initial)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import Recording

# The counter that is incremented, and the label of its location if that is another one. All start at 0.
COUNTERS = {
    "items[0]": None,
    "matrix[row][1]": None,
    "table['key']": None,
    "table[7]": None,
    "plain.hits": None,
    "defaulted.hits": None,
    "slotted.hits": None,
    "Shared.hits": None,
    "guarded.hits": "self._hits",
    "variable": "global variable",
    "cell": "cell cell",
}
# What stands between the read and the write, and how often each thread increments.
GAPS = {"sleep(0)": 30, "pause()": 1000, "pass": 1000}

PROGRAM = """\
import json
import sys
from threading import Barrier, Thread
from time import sleep

class Plain:
    def __init__(self):
        self.hits = 0

class Defaulted:
    hits = 0

class Slotted:
    __slots__ = ("hits",)
    def __init__(self):
        self.hits = 0

class Shared:
    hits = 0

class Guarded:
    def __init__(self):
        self._hits = 0
    @property
    def hits(self):
        return self._hits
    @hits.setter
    def hits(self, value):
        self._hits = value

items, matrix, row, table, variable = [0], [[0, 0], [0, 0]], 1, {"key": 0, 7: 0}, 0
plain, defaulted, slotted, guarded = Plain(), Defaulted(), Slotted(), Guarded()

def pause():
    pass

def run(work):
    barrier = Barrier(len(AMOUNTS))
    threads = [Thread(target=work, args=(barrier, amount)) for amount in AMOUNTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def main():
    cell = 0
    final = {}
BODY
    print(json.dumps(final))

sys.setswitchinterval(1e-6)
main()
"""

WORK = """
    def work(barrier, amount):
        global variable
        nonlocal cell
        barrier.wait()
        for _ in range({repeats}):
            count = {counter}
            {gap}
            {counter} = count + amount
    run(work)
    final["{counter}"] = {counter}
"""


def program(amounts: list[int], gap: str) -> str:
    """Each amount gets a thread that adds it again and again."""
    body = "".join(WORK.format(repeats=GAPS[gap], counter=counter, gap=gap) for counter in COUNTERS)
    return PROGRAM.replace("AMOUNTS", str(amounts)).replace("BODY", body)


def missing(amounts: list[int], gap: str, stdout: str) -> dict[str, int]:
    """What the final values are short of, by label."""
    final: dict[str, int] = json.loads(stdout)
    return {label or counter: sum(amounts) * GAPS[gap] - final[counter] for counter, label in COUNTERS.items()}


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_increments_by_one(threads: int, gap: str, tmp_path: Path, record: Callable[..., Recording]) -> None:
    script = tmp_path / "increments.py"
    script.write_text(program([1] * threads, gap))
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    recording.assert_lost(missing([1] * threads, gap, recording.stdout))


@pytest.mark.skipif(FREE_THREADED, reason="which of the updates were lost is known only where their order is")
@pytest.mark.parametrize("gap", GAPS)
def test_increments_by_different_amounts(gap: str, tmp_path: Path, record: Callable[..., Recording]) -> None:
    amounts = [1, 10, -7]
    script = tmp_path / "increments.py"
    script.write_text(program(amounts, gap))
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    lost = recording.query("""
        SELECT location, sum(lost.value - source.value)
        FROM lost_updates
        JOIN events AS lost ON lost.run_id = lost_updates.run_id AND lost.seq = lost_seq
        JOIN events AS source ON source.run_id = lost_updates.run_id AND source.seq = lost.source_seq
        GROUP BY location
    """)
    expected = missing(amounts, gap, recording.stdout)
    found = {str(label): total for label, total in lost}
    assert {label: found.get(label, 0) for label in expected.keys() | found.keys()} == expected
