"""The orders of real recordings, against what the program itself knows of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from opcodetrace.analyse.happens_before import Operations, Order, SyncOperation, orders
from opcodetrace.store.database import Database
from tests.recording import Recording

PRODUCERS = """
import json, queue, threading
box, got, SENTINEL = queue.{kind}(), {{}}, None
def produce(name):
    for number in range(60):
        box.put((number * 7 % 13, name, number))
def consume(name):
    got[name] = [box.get()[1] for _ in range(60)]
threads = [threading.Thread(target=produce, args=(f"p{{n}}",), name=f"p{{n}}") for n in range(3)]
threads += [threading.Thread(target=consume, args=(f"c{{n}}",), name=f"c{{n}}") for n in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(got))
"""

GENERATIONS = """
import threading
wall = threading.Barrier(3)
def work():
    for _ in range(40): wall.wait()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def read_back(recording: Recording, label: str) -> tuple[dict[int, str], list[SyncOperation], list[Order]]:
    """The threads' names, and the whole operations and the orders of one object."""
    assert recording.exit_code == 0, recording.stderr
    with Database.open(recording.database) as database:
        run = database.run()
        rows, objects, threads = (
            database.synchronisation(run.id),
            database.sync_objects(run.id),
            database.threads(run.id),
        )
    operations = Operations(rows)
    found = orders(rows, operations, objects, threads, begun=True, free_threaded=not run.info.gil)
    (number,) = [number for number, each in objects.items() if each.label == label]
    names = {thread.thread: thread.name or "" for thread in threads}
    used = [each for each in operations.all if each.first.object == number and each.done]
    return names, used, [order for order in found if order.carrier.object == number]


@pytest.mark.parametrize("kind", ["Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"])
def test_which_put_gave_each_item(kind: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "producers.py"
    script.write_text(PRODUCERS.format(kind=kind))
    recording = record("--switch-interval", "1e-5", script)
    names, used, found = read_back(recording, "box")
    got = json.loads(recording.stdout)
    giver = {(order.other, order.until): names[order.one] for order in found if order.carrier.before == "put"}
    gets: defaultdict[int, list[int]] = defaultdict(list)
    for operation in used:
        if operation.first.operation == "get":
            gets[operation.first.thread].append(operation.took_effect())
    assert sorted(names[thread] for thread in gets) == sorted(got)
    told = 0
    for thread, seqs in gets.items():
        for seq, true in zip(sorted(seqs), got[names[thread]], strict=True):
            told += (thread, seq) in giver
            assert giver.get((thread, seq), true) == true
    if kind in ("Queue", "LifoQueue"):
        assert told == 180


def test_generations_of_a_barrier(record: Callable[..., Recording], tmp_path: Path) -> None:
    """Whoever comes out of its nth wait comes after all others' arrivals at theirs, and none of a later one."""
    script = tmp_path / "generations.py"
    script.write_text(GENERATIONS)
    _, used, found = read_back(record("--switch-interval", "1e-5", script), "wall")
    waits: defaultdict[int, list[SyncOperation]] = defaultdict(list)
    for operation in used:
        waits[operation.first.thread].append(operation)
    assert [len(each) for each in waits.values()] == [40, 40, 40]

    def generation(thread: int, seq: int) -> int:
        (number,) = [
            number
            for number, each in enumerate(waits[thread])
            if each.last is not None and each.first.seq <= seq <= each.last.seq
        ]
        return number

    before: set[tuple[int, int, int]] = set()
    for order in found:
        one, other = generation(order.one, order.seq), generation(order.other, order.until)
        assert one <= other <= one + 1
        if one == other:
            before.add((order.one, order.other, one))
    # the one who came last came after both others, and these after it; later ones may have waited for others to leave
    assert any(all({(last, each, 0), (each, last, 0)} <= before for each in waits if each != last) for last in waits)
