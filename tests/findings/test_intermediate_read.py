"""Values that were there for a moment, and that another thread read; and what is none."""

from __future__ import annotations

import textwrap

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.findings.forms import Told, all_told_of
from tests.truth.published_shapes import PRELUDE, SIGNALS

KIND = "intermediate read"
# `first` gives the second one its turn in `met`, if it is the first one that comes there; no event of that is recorded.
PROGRAM = """
class Printer:
    def __init__(self): self.indent, self.busy, self.lock, self.lines = "", False, Lock(), []
    def line(self, text): self.lines.append(self.indent + text)
printer, settings, seen = Printer(), {"digits": 2}, []
def rounded(number): return round(number, settings["digits"])
def met():
    one.give(); other.wait()
def first():
    FIRST
def second():
    one.wait()
    SECOND
    other.give()
run(first, second)
"""
FOUND = {
    "an attribute": (
        "old = printer.indent\nprinter.indent = '  '\nprinter.line('a')\nmet()\nprinter.indent = old",
        "printer.line('b')",
        "self.indent",
    ),
    "its own use after it": (
        "old = printer.indent\nprinter.indent = '  '\nmet()\nprinter.line('a')\nprinter.indent = old",
        "printer.line('b')",
        "self.indent",
    ),
    "in a finally": (
        "old, printer.indent = printer.indent, '  '\ntry:\n    printer.line('a')\n    met()\n"
        "finally: printer.indent = old",
        "printer.line('b')",
        "self.indent",
    ),
    "an item": (
        "old = settings['digits']\nsettings['digits'] = 5\nrounded(1.5)\nmet()\nsettings['digits'] = old",
        "seen.append(rounded(2.5))",
        "settings['digits']",
    ),
    "what stays": (
        "old = printer.indent\nprinter.indent = '  '\none.give(); other.wait()\nprinter.indent = old\nthen.give()",
        "old = printer.indent\nprinter.indent = '    '\nother.give(); then.wait()\nprinter.indent = old",
        "self.indent",
    ),
    "under a lock that the other one does without": (
        "with printer.lock:\n    old = printer.indent\n    printer.indent = '  '\n    printer.line('a')\n    met()\n"
        "    printer.indent = old",
        "printer.line('b')",
        "self.indent",
    ),
}
SILENT = {
    "constants: a state": (
        "printer.indent = 'busy'\nprinter.line('a')\nmet()\nprinter.indent = ''",
        "printer.line('b')",
    ),
    "not used by its own": (
        "old = printer.indent\nprinter.indent = '  '\nmet()\nprinter.indent = old",
        "printer.line('b')",
    ),
    "looked at": (
        "def asks():\n    if printer.busy: seen.append(1)\n"
        "old = printer.busy\nprinter.busy = True\nasks()\nmet()\nprinter.busy = old",
        "asks()",
    ),
    "read before": (
        "old = printer.indent\nmet()\nprinter.indent = '  '\nprinter.line('a')\nprinter.indent = old",
        "printer.line('b')",
    ),
    "read after": (
        "old = printer.indent\nprinter.indent = '  '\nprinter.line('a')\nprinter.indent = old\nmet()",
        "printer.line('b')",
    ),
    "the value that was there": (
        "old = printer.indent\nprinter.indent = ''\nprinter.line('a')\nmet()\nprinter.indent = old",
        "printer.line('b')",
    ),
    "shown": (
        "def show(): print(printer.indent)\n"
        "old = printer.indent\nprinter.indent = '  '\nshow()\nmet()\nprinter.indent = old",
        "show()",
    ),
    "an object of its own": (
        "own = Printer()\nold = own.indent\nown.indent = '  '\nown.line('a')\nmet()\nown.indent = old",
        "printer.line('b')",
    ),
    "by the threads that it starts": (
        "old = printer.indent\nprinter.indent = '  '\nprinter.line('a')\nrun(lambda: printer.line('c'))\n"
        "met()\nprinter.indent = old",
        "pass",
    ),
    "waited for": (
        "asked = Event()\nold = printer.indent\nprinter.indent = '  '\nprinter.line('a')\none.give()\ndone.wait()\n"
        "printer.indent = old\nother.wait()",
        "printer.line('b')\ndone.set()",
    ),
    "another value is put there": (
        "old = printer.indent\nprinter.indent = '  '\nprinter.line('a')\nmet()\nprinter.indent = old + ' '",
        "printer.line('b')",
    ),
    "what was put back in time": (
        "old = printer.indent\nprinter.indent = '  '\nmet()\nprinter.indent = old",
        "old = printer.indent\nprinter.indent = '    '\nprinter.indent = old",
    ),
}


def program(first: str, second: str) -> str:
    text = PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second.replace("\n", "\n    "))
    if "def " in first:  # both call it
        made = first.partition("\nold = ")[0]
        text = text.replace(made.replace("\n", "\n    "), "pass").replace("def first", f"{made}\ndef first")
    if "then" in first:  # the second one gives its turn back by itself
        text = text.replace("def first", "then = Signal()\ndef first").replace("\n    other.give()\nrun", "\nrun")
    return PRELUDE + text.replace("def first", "done = Event()\ndef first")


# What two threads do, one after the other: nothing that is recorded makes one of them wait.
AFTER_THE_OTHER = """
class Printer:
    def __init__(self): self.busy, self.lock = False, Lock()
printer, settings, done = Printer(), {"digits": 2}, Event()
def moment():
    MOMENT
in_turn(lambda: FIRST, lambda: SECOND)
"""
MOMENT = "old = printer.busy\nprinter.busy = True\nslowly()\nprinter.busy = old"
POSSIBLE = {
    "a flag": (MOMENT, "possible", "printer.busy"),
    "in a finally": (
        "old, printer.busy = printer.busy, True\ntry: slowly()\nfinally: printer.busy = old",
        "possible",
        "printer.busy",
    ),
    "higher for a moment": (
        "deep = settings['digits']\nsettings['digits'] = deep + 1\nslowly()\nsettings['digits'] = deep",
        "possible",
        "settings['digits']",
    ),
    "at once": (MOMENT.replace("slowly()\n", ""), "possible" if FREE_THREADED else "gil-only", "printer.busy"),
}
NONE = {
    "a lock": ("with printer.lock:\n" + textwrap.indent(MOMENT, "    "), "moment()", "moment()"),
    "waited for": (MOMENT, "(moment(), done.set())", "(done.wait(), moment())"),
    "each its own": (MOMENT.replace("old =", "printer = Printer()\nold ="), "moment()", "moment()"),
    "a constant is put back": (MOMENT.replace("= old", "= False"), "moment()", "moment()"),
    "nothing else is put there": (MOMENT.replace("= True", "= False"), "moment()", "moment()"),
    "one thread alone": (MOMENT, "(moment(), moment())", "printer.busy"),
}


@pytest.fixture(scope="module")
def possible(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("possible")
    (folder / "signals.py").write_text(SIGNALS)
    forms = {f"possible: {name}": (each, "moment()", "moment()") for name, (each, _, _) in POSSIBLE.items()}
    forms |= {f"none: {name}": each for name, each in NONE.items()}
    programs = {}
    for name, parts in forms.items():
        programs[name] = PRELUDE + AFTER_THE_OTHER
        for word, part in zip(("MOMENT", "FIRST", "SECOND"), parts, strict=True):
            programs[name] = programs[name].replace(word, part.replace("\n", "\n    "))
    return all_told_of(programs, folder)


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_is_there_for_a_moment_may_stay(name: str, possible: dict[str, Told]) -> None:
    of_kind = [finding for finding in possible[f"possible: {name}"].findings if finding[0] == KIND]
    assert of_kind == [(KIND, POSSIBLE[name][1], "proven", POSSIBLE[name][2])]


@pytest.mark.parametrize("name", NONE)
def test_it_does_not_stay(name: str, possible: dict[str, Told]) -> None:
    assert [finding for finding in possible[f"none: {name}"].findings if finding[0] == KIND] == []


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "signals.py").write_text(SIGNALS)
    programs = {f"found: {name}": program(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {f"silent: {name}": program(*both) for name, both in SILENT.items()}
    return all_told_of(programs, folder, "--exclude", "signals")


@pytest.mark.parametrize("name", FOUND)
def test_a_value_that_was_there_for_a_moment(name: str, told: dict[str, Told]) -> None:
    of_kind = [finding for finding in told[f"found: {name}"].findings if finding[0] == KIND]
    assert of_kind == [(KIND, "happened", "proven", FOUND[name][2])]


@pytest.mark.parametrize("name", SILENT)
def test_no_finding(name: str, told: dict[str, Told]) -> None:
    assert [finding for finding in told[f"silent: {name}"].findings if finding[0] == KIND] == []
