"""Updates that are lost by construction, read or written by C functions: five each, on every build."""

from collections.abc import Callable
from pathlib import Path

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import Recording

# One thread reads, another one makes five updates, then the first writes what it read and one.
PROGRAM = """\
import collections, operator, threading
class Box: pass
class Slots: __slots__ = ("n",)
SETUP
read, done = threading.Event(), threading.Event()
def slow():
    value = READ
    read.set(); done.wait()
    value = value + 1
    WRITE
def fast():
    read.wait()
    for _ in range(5):
        UPDATE
    done.set()
threads = [threading.Thread(target=each) for each in (slow, fast)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
LIST, BOX = "l = [0]", "b = Box(); b.n = 0"
NESTED = "b = Box(); b.inner = Box(); b.inner.n = 0"
READS = {
    "itemgetter": (LIST, "operator.itemgetter(0)(l)", "l[0]"),
    "itemgetter by another name": (LIST + "; first = operator.itemgetter(0)", "first(l)", "l[0]"),
    "itemgetter of a dictionary": ("d = {'k': 0}; k_of = operator.itemgetter('k')", "k_of(d)", "d['k']"),
    "itemgetter of two": (LIST + "; both = operator.itemgetter(0, -1)", "max(both(l))", "l[0]"),
    "itemgetter by map": (LIST + "; first = operator.itemgetter(0)", "max(map(first, [l]))", "l[0]"),
    "itemgetter of a subclass": ("class L(list): pass\nl = L([0])", "operator.itemgetter(0)(l)", "l[0]"),
    "attrgetter": (BOX + "; n_of = operator.attrgetter('n')", "n_of(b)", "b.n"),
    "attrgetter of a slot": ("b = Slots(); b.n = 0; n_of = operator.attrgetter('n')", "n_of(b)", "b.n"),
    "attrgetter of two": (BOX + "; n_of = operator.attrgetter('n', 'n')", "max(n_of(b))", "b.n"),
    "methodcaller": (LIST + "; first = operator.methodcaller('__getitem__', 0)", "first(l)", "l[0]"),
}
if not FREE_THREADED:  # without the GIL it is not known what it finds on its way
    READS["attrgetter of a path"] = (NESTED + "; n_of = operator.attrgetter('inner.n')", "n_of(b)", "b.inner.n")


def record_lost(record: Callable[..., Recording], folder: Path, program: dict[str, str]) -> int:
    text = PROGRAM
    for place, source in program.items():
        text = text.replace(place, source)
    script = folder / "lost.py"
    script.write_text(text)
    recording = record(script)
    assert recording.exit_code == 0, recording.stderr
    return sum(recording.lost().values())


@pytest.mark.parametrize("form", READS)
def test_reads(form: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    setup, read, location = READS[form]
    program = {"SETUP": setup, "READ": read, "WRITE": f"{location} = value", "UPDATE": f"{location} += 1"}
    assert record_lost(record, tmp_path, program) == 5


WRITES = {
    "a dictionary": "d.update({'k': NEW})",
    "a dictionary of a variable": "new = {'k': NEW}; d.update(new)",
    "an ordered dictionary": "d.update(collections.OrderedDict(k=NEW))",
    "a keyword": "d.update(k=NEW)",
    "a list of pairs": "d.update([('k', NEW)])",
    "a tuple of pairs": "d.update((['k', NEW],))",
    "the method of |=": "d.__ior__({'k': NEW})",
}


@pytest.mark.parametrize("form", WRITES)
def test_updates(form: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    program = {
        "SETUP": "d = {'k': 0}",
        "READ": "d['k']",
        "WRITE": WRITES[form].replace("NEW", "value"),
        "UPDATE": WRITES[form].replace("NEW", "d['k'] + 1"),
    }
    assert record_lost(record, tmp_path, program) == 5


def test_a_property_is_no_location(record: Callable[..., Recording], tmp_path: Path) -> None:
    setup = """
class Account:
    def __init__(self): self._n = 0
    @property
    def n(self): return self._n
    def __getitem__(self, key): return self._n
b = Account()
"""
    read = "operator.attrgetter('n')(b) + operator.itemgetter(0)(b)"
    program = {"SETUP": setup, "READ": read, "WRITE": "b._n = value", "UPDATE": "b._n += 1"}
    assert record_lost(record, tmp_path, program) == 5


@pytest.mark.parametrize("counted", ["'a'", "['a']", "('a',)"])
def test_what_a_counter_counts(counted: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    program = {
        "SETUP": "c = collections.Counter(a=0)",
        "READ": "c['a']",
        "WRITE": "c['a'] = value",
        "UPDATE": f"c.update({counted})",
    }
    assert record_lost(record, tmp_path, program) == 5
