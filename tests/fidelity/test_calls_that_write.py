"""A write by a call has as its source what was read for it, not what an earlier turn of the loop wrote there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import Recording

# The first thread writes, the second one adds to that, then the first adds to what the second wrote, at the same site.
PROGRAM = """\
import operator, threading
class Account: pass
account, table = Account(), {"n": 0}
account.n = 0
written, added = threading.Event(), threading.Event()
def first():
    put, put_at = table.__setitem__, operator.setitem
    for turn in range(2):
        WRITE
        if turn == 0:
            written.set(); added.wait()
def second():
    written.wait()
    table["n"] = table["n"] + 1
    account.n = account.n + 1
    added.set()
threads = [threading.Thread(target=each) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(table["n"] + account.n)
"""
# How sure the source of the first thread's writes is.
WRITES = {
    "table.update(n=table['n'] + 1)": "proven",
    "table.update({'n': table['n'] + 1})": "proven",
    "table.update(other=0, n=table['n'] + 1)": "inferred",
    "table.update({'other': 0, 'n': table['n'] + 1})": "inferred",
    "table.update([('n', table['n'] + 1)])": "inferred",
    "table.update(iter([('n', table['n'] + 1)]))": None,  # which items it wrote is not recorded
    "table.update(**{'n': table['n'] + 1})": "inferred",
    "put('n', table['n'] + 1)": "inferred",
    "put_at(table, 'n', table['n'] + 1)": "inferred",
    "operator.setitem(table, 'n', table['n'] + 1)": "proven",
    "setattr(account, 'n', account.n + 1)": "proven",
    "setattr(*(account, 'n', account.n + 1))": "inferred",
}
SOURCES = """
    SELECT source.kind, source.value, write.certainty FROM events AS write
    LEFT JOIN events AS source ON source.run_id = write.run_id AND source.seq = write.source_seq
    JOIN sites ON sites.id = write.site_id
    WHERE write.kind = 2 AND sites.operation = 'CALL' AND typeof(write.value) = 'integer' AND write.value > 0
    ORDER BY write.seq
"""


@pytest.mark.parametrize("write", WRITES)
def test_the_source_of_what_a_call_writes(write: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "calls.py"
    script.write_text(PROGRAM.replace("WRITE", write))
    recording = record(script)
    assert (recording.exit_code, recording.stdout) == (0, "4\n"), recording.stderr
    assert recording.bounds() == {}
    certainty = WRITES[write]
    assert recording.query(SOURCES) == ([(1, 0, certainty), (1, 2, certainty)] if certainty else [])


def test_an_update_of_several_items_proves_no_source(record: Callable[..., Recording], tmp_path: Path) -> None:
    """Each item is written from what was read of the other: nothing that was read of it itself is proven to flow in."""
    script = tmp_path / "swap.py"
    script.write_text("""
import threading
table = {"a": 1, "b": 2}
def work():
    table.update(a=table["b"], b=table["a"])
    table.update({"a": table["b"], "b": table["a"]})
for _ in range(2):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print(table)
""")
    recording = record(script)
    assert recording.stdout == "{'a': 1, 'b': 2}\n", recording.stderr
    found = recording.query("SELECT certainty FROM events WHERE kind = 2 AND thread != 0")
    assert len(found) == 8
    assert ("proven",) not in found


def test_an_update_of_a_set_reads_it_in_the_same_step(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "members.py"
    script.write_text("""
import threading
members = set()
def work():
    members.update([1])
    members.update([2])
for _ in range(2):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
""")
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    rows = recording.query("""
        SELECT write.certainty, source.kind, source.site_id = write.site_id FROM events AS write
        LEFT JOIN events AS source ON source.run_id = write.run_id AND source.seq = write.source_seq
        JOIN locations ON locations.id = write.location_id
        WHERE write.kind = 2 AND locations.kind = 'whole' AND label = 'members'
    """)
    assert rows == [("proven", 1, 1)] * 4


# Each thread's own dictionary: nothing but the counter of records makes them meet.
STEPS = """
import threading
barrier = threading.Barrier(3)
def work():
    table = {}
    barrier.wait()
    for key in range(3000):
        table.update(a=key, b=key, c=key, d=key)
        table.pop("a")
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
# Accesses by calls that lie in an interval, and those whose interval begins after an earlier record of the same call.
OF_SEVERAL = """
    WITH accesses AS (
        SELECT seq, earliest, events.kind, site_id, lag(seq) OVER own AS before, lag(site_id) OVER own AS site_before
        FROM events JOIN sites ON sites.id = site_id WHERE operation = 'CALL' AND events.kind <= 3 AND events.run_id = ?
        WINDOW own AS (PARTITION BY thread ORDER BY seq)
    )
    SELECT count(*), coalesce(sum(earliest > before), 0) FROM accesses
    WHERE site_before = site_id AND earliest IS NOT NULL AND kind >= 2
"""


@pytest.mark.skipif(not FREE_THREADED, reason="with the GIL nothing comes between the records of one call")
def test_all_that_a_call_does_is_done_before_its_first_record(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "steps.py"
    script.write_text(STEPS)
    for run in range(1, 11):  # on a busy machine the threads may take turns
        recording = record("--keep", "all", script)
        assert recording.exit_code == 0, recording.stderr
        [(intervals, later)] = recording.query(OF_SEVERAL, run)
        assert later == 0
        if int(str(intervals)) >= 100:
            return
    pytest.skip("the threads did not run in parallel")


def test_the_size_alone_does_not_show_what_a_call_did(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "sizes.py"
    script.write_text("""
class Key:
    def __hash__(self):
        table[len(table)] = None
        return 1000
table = {}
key = Key()
table[key] = 7
table.setdefault(key, 5)
table.pop(key)
table[key] = 8
table.pop(key, None)
""")
    recording = record("--keep", "all", script)
    assert (recording.exit_code, recording.stdout) == (0, ""), recording.stderr
    kinds = recording.query("""
        SELECT events.kind, value FROM events JOIN sites ON sites.id = site_id
        WHERE operation = 'CALL' AND expression LIKE 'table.%' ORDER BY seq
    """)
    assert kinds == [(1, 7), (1, 7), (3, None), (1, 8), (3, None)]
