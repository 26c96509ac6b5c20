"""Checks by which the program refuses what comes later, but not if it comes at the same time; and right ones."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.findings.test_stale_check import program
from tests.findings.test_unguarded_check import PROGRAM as ONE_AFTER_THE_OTHER

OTHERS = """
def register(name, item):
    if name in d:
        if d[name] == item: pass
        else: raise ValueError(d[name])
    else:
        wait()
        d[name] = item
def register_with_return(name, item):
    if name in d:
        if d[name] == item: return
        raise ValueError("%s is %s" % (name, d[name]))
    wait()
    d[name] = item
def register_with_get(name, item):
    if d.get(name) is not None:
        if d[name] != item:
            raise ValueError(d[name])
        return
    wait()
    d[name] = item
def register_under_a_lock(name, item):
    with lock:
        if name in d:
            if d[name] != item: raise ValueError(d[name])
        else:
            wait()
            d[name] = item
def register_if_strict(name, item):
    if name in d:
        if strict: raise ValueError(d[name])
    else:
        wait()
        d[name] = item
def register_or_go_on(name, item):
    try:
        if name in d: raise KeyError(d[name])
        wait()
        d[name] = item
    except KeyError: pass
def find(name, item):
    if name in d:
        if d[name] is None: raise ValueError(d[name])
    else:
        wait()
        d[name] = item
strict = True
"""
BOTH = "with suppress(ValueError): {}('n', threading.current_thread().name)"
SAME = "with suppress(ValueError): {}('n', 'same')"
NAMES = ["register", "register_with_return", "register_with_get", "register_if_strict"]
SILENT = {
    "the same item": SAME.format("register"),
    "the same item, and a return": SAME.format("register_with_return"),
    "under a lock": BOTH.format("register_under_a_lock"),
    "a reason that does not hold": BOTH.format("find"),
    "by an error that it handles itself": BOTH.format("register_or_go_on"),
    "for who wants it only": "global strict\nstrict = False\n" + BOTH.format("register_if_strict"),
}
HAPPENED = {name: (f"{name}('n', 'one')", "register('n', 'other')") for name in NAMES}
RIGHT = {
    "under a lock": ("register_under_a_lock('n', 'one')", "checked.append(1)"),
    "another name": ("register('n', 'one')", "register('m', 'other')"),
}


def one_after_the_other(act: str) -> str:
    source = ONE_AFTER_THE_OTHER.replace("def act", OTHERS.replace("wait()", "time.sleep(0)") + "def act")
    for word, part in (("ACT", act), ("FIRST", "act()"), ("SECOND", "act()")):
        source = source.replace(word, part.replace("\n", "\n    "))
    return source


def in_between(first: str, second: str) -> str:
    functions = "d, lock = {}, threading.Lock()\n" + OTHERS.replace(
        "wait()", "wait() if threading.current_thread().name == 'first' else None"
    )
    return program(first, second).replace("checked, changed", functions + "checked, changed")


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: one_after_the_other(BOTH.format(name)) for name in NAMES}
    programs |= {f"silent: {name}": one_after_the_other(act) for name, act in SILENT.items()}
    return told_of(programs, "unguarded check", tmp_path_factory.mktemp("unguarded"))


@pytest.fixture(scope="module")
def stale(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: in_between(*parts) for name, parts in HAPPENED.items()}
    programs |= {f"silent: {name}": in_between(*parts) for name, parts in RIGHT.items()}
    return told_of(programs, "stale check", tmp_path_factory.mktemp("stale"))


@pytest.mark.parametrize("name", NAMES)
def test_who_comes_later_is_refused(name: str, unguarded: dict[str, Told]) -> None:
    assert unguarded[name].findings == [("possible", "proven", "d['n']")]


@pytest.mark.parametrize("name", SILENT)
def test_nobody_is_refused_or_nobody_comes_in_between(name: str, unguarded: dict[str, Told]) -> None:
    assert unguarded[f"silent: {name}"].findings == []


@pytest.mark.parametrize("name", HAPPENED)
def test_both_were_accepted(name: str, stale: dict[str, Told]) -> None:
    assert stale[name].findings == [("happened", "proven", "d['n']")]


@pytest.mark.parametrize("name", RIGHT)
def test_one_was_accepted(name: str, stale: dict[str, Told]) -> None:
    assert stale[f"silent: {name}"].findings == []
