"""Accesses that methods of an object hand on belong to who asked for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.forms import Told, all_told_of
from tests.recording import record

HEAD = """
import threading, time
checked, changed = [], []  # no thread waits for another one: it only looks
def wait():  # the first thread, between what it reads and what it writes
    if threading.current_thread().name == "first":
        checked.append(1)
        while not changed: time.sleep(0)
class Plain: pass
class Served:
    def __getattribute__(self, name): return super().__getattribute__(name)
    def __setattr__(self, name, value): super().__setattr__(name, value)
    def __delattr__(self, name): object.__delattr__(self, name)
class Further(Served):
    def __getattribute__(self, name): return super().__getattribute__(name)
    def __setattr__(self, name, value): super().__setattr__(name, value)
class Stored:
    def __setattr__(self, name, value): self.__dict__[name] = value
class Counted:
    def __setattr__(self, name, value): super().__setattr__(name, self.total + 1 if name == "total" else value)
def box_of(kind, **attributes):
    box = kind()
    for name, value in attributes.items(): vars(box)[name] = value
    return box
def run(*works):
    threads = [threading.Thread(target=work, name=work.__name__) for work in works]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
def then(work):  # by a second thread, as the first one waits
    def second():
        while not checked: time.sleep(0)
        work()
        changed.append(1)
    return second
"""
CHECK = """
def fill():
    if box.value is None:
        wait()
        box.value = []
box = box_of(KIND, value=None)
run(fill, then(fill))
"""
PROGRAMS = {
    "a lost update": """
def add():
    value = box.total
    wait()
    box.total = value + 1
box = box_of(KIND, total=0)
def first(): add()
run(first, then(add))
print(box.total)
""",
    "a stale check": CHECK.replace("run(fill,", "def first(): fill()\nrun(first,"),
    "overwritten before read": """
def use(value):
    box.value = [value]
    wait()
    return box.value[0]
box = box_of(KIND, value=None)
def first(): print(use(1))
run(first, then(lambda: use(2)))
""",
    "a failed access": """
def use():
    if box.value is not None:
        wait()
        return box.value + 1
def drop(): del box.value
box = box_of(KIND, value=1)
def first():
    try: use()
    except AttributeError as error: print("failed")
run(first, then(drop))
""",
}
EXPECTED = {
    "a lost update": ("1", [("lost update", "happened", "proven", "box.total")]),
    "a stale check": ("", [("stale check", "happened", "proven", "box.value")]),
    "overwritten before read": ("2", [("overwritten before read", "happened", "proven", "box.value")]),
    "a failed access": ("failed", [("failed access", "happened", "proven", "box.value")]),
}
KINDS = {"Plain", "Served", "Further", "Stored"}
# At one instruction, an object that threads share and then one that they do not: what is written is made of that one's.
ELSEWHERE = """
def add(*boxes):
    for each in boxes:
        value = each.total
    wait()
    box.total = value + 1
box = box_of(Served, total=0)
def first(): add(box, box_of(Served, total=5))
def set_it(): box.total = 9
run(first, then(set_it))
print(box.total)
"""
OWN = """
def add():
    wait()
    box.total = 1
box = box_of(Counted, total=0)
def first(): add()
run(first, then(add))
print(box.total)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    forms = {
        f"{name} of {kind}": HEAD + body.replace("KIND", kind) for name, body in PROGRAMS.items() for kind in KINDS
    }
    forms |= {"elsewhere": HEAD + ELSEWHERE, "own": HEAD + OWN}
    return all_told_of(forms, tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_told_as_of_a_plain_object(told: dict[str, Told], name: str, kind: str) -> None:
    printed, findings = EXPECTED[name]
    found = told[f"{name} of {kind}"]
    assert found.printed == printed
    assert found.findings == findings


def test_what_is_not_kept_ends_what_was_read_before(told: dict[str, Told]) -> None:
    assert told["elsewhere"] == Told("6", [])


def test_a_method_that_looks_at_what_it_writes_keeps_its_accesses(told: dict[str, Told]) -> None:
    assert told["own"] == Told("2", [])


def test_the_place_is_that_of_who_asked(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(HEAD + PROGRAMS["a lost update"].replace("KIND", "Further"))
    recording = record(tmp_path / "trace.db", "-q", script)
    places = recording.query(
        "SELECT DISTINCT function, operation FROM events JOIN sites ON sites.id = events.site_id"
        " JOIN locations ON locations.id = location_id WHERE label = 'box.total' ORDER BY operation, function"
    )
    assert places == [("<module>", "LOAD_ATTR"), ("add", "LOAD_ATTR"), ("add", "STORE_ATTR")]
