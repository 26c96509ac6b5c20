"""What keeps threads apart at a location: the table `protections`, and the query that shows it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from opcodetrace.analyse import protections
from opcodetrace.analyse.evidence import Evidence, gather
from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace.store.queries import KEPT
from tests.analyse.hand_built import WRITE, Story
from tests.analyse.programs import trace_of
from tests.recording import Recording, record

# Each location is an attribute of its own. The second thread begins as the first is done; it waits by a pipe, which is
# not recorded.
PROGRAM = """
import os, queue, threading
class Box: pass
box, lock, audit, semaphore = Box(), threading.Lock(), threading.Lock(), threading.Semaphore(1)
event, items, log = threading.Event(), queue.Queue(), []
box.locked = box.nested = box.read = box.signal = box.handed = box.gil = box.slow = box.blind = box.joined = 0
box.split = box.semaphore = box.checked = box.loop = 0
reader, writer = os.pipe()
def one(): return 1
def update():
    with lock: box.locked += 1
    with audit:
        with lock: box.nested += 1
    with lock: box.read += 1
    with semaphore: box.semaphore += 1
    box.gil += 1
    box.slow += one()
    box.blind = 5
    log.append(1)
    if box.checked != 3: box.checked = 9
def first():
    update()
    with audit: box.nested += 1
    with lock: split = box.split
    with lock: box.split = split + 1
    box.own = 1
    box.signal += 1
    event.set()
    box.handed += 1
    items.put(1)
    box.joined += 1
    os.write(writer, b".")
def second():
    os.read(reader, 1)
    update()
    with lock: box.split += 1
    str(box.read)
    str(box.own)
    event.wait()
    box.signal += 1
    items.get()
    box.handed += 1
threads = [threading.Thread(target=each) for each in (first, second)]
for thread in threads: thread.start()
threads[0].join()
box.joined += 1
threads[1].join()
"""
EXPECTED = {  # protection, what it covers, the object, what orders the accesses
    "box.locked": ("lock", "every access", "lock"),
    "box.nested": ("lock", "every access", "audit"),
    "box.read": ("lock", "every write", "lock"),
    "box.semaphore": ("semaphore", "every access", "semaphore"),
    "box.gil": ("nothing" if FREE_THREADED else "GIL only", None, None),
    "box.slow": ("nothing", None, None),
    "box.split": ("nothing", None, None),
    "box.blind": ("atomic steps", "every access", None),
    "log": ("atomic steps", "every access", None),
    "box.checked": ("unknown", None, None),
    "box.own": ("one thread", "every write", None),
    "box.signal": ("handed over", "every access", "event"),
    "box.handed": ("handed over", "every access", "items"),
    "box.joined": ("handed over", "every access", None),
}
CARRIERS = {"box.signal": "set, then wait", "box.handed": "put, then get", "box.joined": "end, then join"}
ROWS = """
    SELECT location.label, protection, covers, object.label, carrier, protections.certainty, line
    FROM protections JOIN locations AS location ON location.id = location_id JOIN sites ON sites.id = site_id
    LEFT JOIN sync_objects AS object ON object.id = sync_object_id"""

QUERY = KEPT["protection"].sql.replace(":run", "1")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("protections")
    (folder / "script.py").write_text(PROGRAM)
    made = record(folder / "trace.db", "-q", folder / "script.py")
    assert made.exit_code == 0, made.stderr
    return made


def test_each_location_has_its_protection(recording: Recording) -> None:
    assert {str(label): told for label, *told, _, _, _ in recording.query(ROWS)} == {
        label: list(told) for label, told in EXPECTED.items()
    }


def test_what_orders_is_named(recording: Recording) -> None:
    carriers = {str(label): carrier for label, _, _, _, carrier, _, _ in recording.query(ROWS)}
    assert {label: carriers[label] for label in CARRIERS} == CARRIERS
    assert carriers["box.locked"] == "start, then begin"  # its first value, which was given without the lock


def test_a_site_shows_it(recording: Recording) -> None:
    lines = PROGRAM.splitlines()
    for label, protection, _, _, _, _, line in recording.query(ROWS):
        assert isinstance(line, int)
        shown = lines[line - 1]
        assert str(label).partition(" ")[0] in shown, (label, protection, shown)


def test_how_sure_it_is(recording: Recording) -> None:
    certainties = {str(label): certainty for label, _, _, _, _, certainty, _ in recording.query(ROWS)}
    assert certainties["box.locked"] == certainties["box.blind"] == certainties["box.joined"] == "proven"
    assert certainties["box.semaphore"] == "inferred"  # how many places it has is not recorded
    assert certainties["box.checked"] == "possible"


def test_the_query_puts_what_is_unprotected_first(recording: Recording) -> None:
    rows = recording.query(QUERY)
    order = ["nothing", "GIL only", "unknown", "atomic steps", "lock", "semaphore", "handed over", "one thread"]
    told = [str(row[0]) for row in rows]
    assert told == sorted(told, key=order.index)
    assert sum(int(str(row[2])) for row in rows) == len(EXPECTED)


def test_a_run_of_an_older_version_says_so(recording: Recording, tmp_path: Path) -> None:
    older = tmp_path / "older.db"
    shutil.copy(recording.database, older)
    with contextlib.closing(sqlite3.connect(older, isolation_level=None)) as connection:
        connection.executescript("DELETE FROM protections; UPDATE runs SET protections = NULL")
        assert {row[0] for row in connection.execute(QUERY)} == {"recorded by an older version"}


def test_a_run_without_its_beginning_has_none(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    made = record(tmp_path / "trace.db", "-q", "--last", "200", script)
    assert made.query("SELECT protections FROM runs") == [(0,)]
    assert {row[0] for row in made.query(QUERY)} == {"not looked at"}


def two_locations(uncertain: tuple[int, ...] = ()) -> Evidence:
    """The first is written twice, the second four times."""
    story = Story()
    for location in (0, 1, 1):
        for thread in (0, 1):
            story.write(thread, thread, site=WRITE, location=location)
    trace = trace_of(story.events, story.sites.values(), uncertain)
    trace.locations = {
        number: replace(each, threads=2, writes=(2, 4)[number]) for number, each in trace.locations.items()
    }
    return gather(trace)


@pytest.mark.parametrize(
    ("limit", "number", "told"),
    [("MAX_LOCATIONS", 1, [1]), ("MAX_ACCESSES", 3, [0]), ("MAX_GROUPS", 2, [1]), ("MAX_GROUPS", 1, [])],
)
def test_there_are_limits(limit: str, number: int, told: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = two_locations()
    assert [each.location for each in protections.protections(evidence, {})] == [0, 1]
    monkeypatch.setattr(protections, limit, number)
    assert [each.location for each in protections.protections(evidence, {})] == told


def test_a_location_that_is_not_certain_is_left_out() -> None:
    assert [each.location for each in protections.protections(two_locations(uncertain=(1,)), {})] == [0]
