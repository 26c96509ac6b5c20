"""The law: where every write adds one to what it read, lost updates = writes − (final − initial)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recording import Recording

# The counter that is incremented, and the label of its location where that is another one. All start at 0.
COUNTERS = {
    "items[0]": None,
    "matrix[row][1]": "matrix[1][1]",
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
    barrier = Barrier(THREADS)
    threads = [Thread(target=work, args=(barrier,)) for _ in range(THREADS)]
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
    def work(barrier):
        global variable
        nonlocal cell
        barrier.wait()
        for _ in range({repeats}):
            count = {counter}
            {gap}
            {counter} = count + 1
    run(work)
    final["{counter}"] = {counter}
"""


def program(threads: int, gap: str) -> str:
    body = "".join(WORK.format(repeats=GAPS[gap], counter=counter, gap=gap) for counter in COUNTERS)
    return PROGRAM.replace("THREADS", str(threads)).replace("BODY", body)


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_increments_obey_the_law(threads: int, gap: str, tmp_path: Path, record: Callable[..., Recording]) -> None:
    script = tmp_path / "increments.py"
    script.write_text(program(threads, gap))
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    final: dict[str, int] = json.loads(recording.stdout)
    recording.assert_lost(
        {label or counter: threads * GAPS[gap] - final[counter] for counter, label in COUNTERS.items()}
    )
