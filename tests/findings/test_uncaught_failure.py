"""Accesses that failed without a check: if the exception ended a thread, and if the program was ready for it."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The first thread looks, the second changes, the first acts.
PROGRAM = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
class Box: pass
d, chosen, box, other = {"k": 1, "l": 2}, {"x"}, Box(), {"k": 1}
box.name = "full"
items, rest, failures = ["a"], ["b"], []
told = threading.Event()
looked, changed, gone = [], [], threading.Event()  # no thread waits for another one: it only looks
def wait():
    looked.append(1)
    while not changed: time.sleep(0)
def drop(key):
    del d[key]
def first():
    FIRST
def second():
    while not looked: time.sleep(0)
    SECOND
    gone.set()
    changed.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
DELETED = "d.pop('k')"
FOUND = {
    "the first of its keys": ("key = next(iter(d))\nwait()\ndel d[key]", DELETED, "d['k']"),
    "each key": ("for key in list(d):\n    wait()\n    del d[key]", DELETED, "d['k']"),
    "each pair": ("for key, value in sorted(d.items()):\n    wait()\n    d.pop(key)", DELETED, "d['k']"),
    "those that are too old": (
        "old = [key for key, value in d.items() if value < 2]\nfor key in old:\n    wait()\n    del d[key]",
        DELETED,
        "d['k']",
    ),
    "the oldest": ("key = min(d, key=d.get)\nwait()\ndel d[key]", DELETED, "d['k']"),
    "a member": ("one = next(iter(chosen))\nwait()\nchosen.remove(one)", "chosen.discard('x')", "chosen['x']"),
    "what it had read": ("value = d['k']\nwait()\ndel d['k']", DELETED, "d['k']"),
    "what it had got": ("value = d.get('k')\nwait()\ndel d['k']", DELETED, "d['k']"),
    "what it had written": ("d['k'] = 3\nwait()\nd['k']", DELETED, "d['k']"),
    "an attribute": ("box.name\nwait()\nbox.name", "del box.name", "box.name"),
    "in a function that it calls": ("def take():\n    wait()\n    drop('k')\ntake()", DELETED, "d['k']"),
    "raised on": (
        "d['k']\nwait()\ntry: d['k']\nexcept KeyError as error: raise RuntimeError from error",
        DELETED,
        "d['k']",
    ),
    "raised anew": ("key = 'k'\nd[key]\nwait()\ntry: d[key]\nexcept KeyError: raise KeyError(key)", DELETED, "d['k']"),
    "raised again, and reported": (
        "failures = []\ndef take():\n    d['k']\n    wait()\n    try: del d['k']\n    except KeyError:\n"
        "        changed.append(2)\n        raise\ntry: take()\nexcept KeyError as error: failures.append(error)",
        DELETED,
        "d['k']",
    ),
    "raised as another error, and reported": (
        "failures = []\nclass Gone(Exception): pass\ndef take():\n    d['k']\n    wait()\n    try: del d['k']\n"
        "    except KeyError as error: raise Gone('k') from error\n"
        "try: take()\nexcept Gone as error: failures.append(error)",
        DELETED,
        "d['k']",
    ),
    "after something else": ("d['k']\nwait()\ntry: d['k']\nfinally: looked.append(2)", DELETED, "d['k']"),
    "deleted, written, deleted": ("d['k']\nwait()\nd['k']", "del d['k']; d['k'] = 4; del d['k']", "d['k']"),
    "its own deletion, and another's": ("del d['k']\nwait()\nd['k']", "d['k'] = 4; del d['k']", "d['k']"),
}
EMPTIED = "items.clear()"


def reported(act: str, error: str = "Exception") -> str:
    return f"try: {act}\nexcept {error} as error: failures.append(error)"


DK = "d['k']"
AGAIN = "changed.append(1)\nwhile len(looked) < 2: time.sleep(0)"
MOMENT = f"del d['k']\n{AGAIN}\nd['k'] = 5"
SEEN = "\nlooked.append(2)"
FOUND |= {
    "appended and popped": (f"items.append(1)\nwait()\n{reported('items.pop()')}", EMPTIED, "items"),
    "appended and popped, the first one": (f"items.append(1)\nwait()\n{reported('items.pop(0)')}", EMPTIED, "items"),
    "appended and read": (f"items.append(1)\nwait()\n{reported('items[-1]')}", EMPTIED, "items"),
    "appended and removed": (
        f"one = 'one'\nitems.append(one)\nwait()\n{reported('items.remove(one)')}",
        EMPTIED,
        "items",
    ),
    "appended by what it calls": (
        f"def put():\n    items.append(1)\nput()\nwait()\n{reported('items[-1]', 'IndexError')}",
        EMPTIED,
        "items",
    ),
    "gone for a moment": (f"wait()\n{reported(DK)}{SEEN}", MOMENT, "d['k']"),
}
HALF_MADE = "box.one = Box()\nchanged.append(1)\nwhile len(looked) < 2: time.sleep(0)\nbox.one.name = 'one'"
NOT_YET = {
    "nobody caught it": (
        "wait()\ntry: box.one.name\nfinally: looked.append(2)",
        HALF_MADE,
        "box.one.name",
    ),
    "it was only reported": (
        "errors = []\nwait()\none = box.one\ntry: one.name\nexcept AttributeError as error: errors.append(error)\n"
        "looked.append(2)",
        HALF_MADE,
        "box.one.name",
    ),
}
SILENT = {
    "not made yet, and ready for that": (
        "wait()\ntry: box.one.name\nexcept AttributeError: pass\nlooked.append(2)",
        HALF_MADE,
    ),
    "never made": (
        "wait()\ntry: box.one.name\nfinally: looked.append(2)",
        HALF_MADE.replace("box.one.name =", "box.one.other ="),
    ),
    "not made yet, by another thread than that which shared it": (
        "box.two = Box()\nlooked.append(1)\ntry: box.two.name\nfinally: looked.append(2)",
        "while len(looked) < 2: time.sleep(0)\nbox.two.name = 'two'",
    ),
    "caught": ("d['k']\nwait()\ntry: d['k']\nexcept KeyError: print('no')", DELETED),
    "caught further out": ("d['k']\nwait()\ntry: drop('k')\nexcept Exception as error: print(error)", DELETED),
    "raised as another error, and dealt with": (
        "def take():\n    d['k']\n    wait()\n    try: del d['k']\n    except KeyError: raise ValueError('k')\n"
        "try: take()\nexcept ValueError: d['k'] = 1",
        DELETED,
    ),
    "raised as another error than the one that is reported": (
        "class Gone(Exception): pass\nclass Other(Exception): pass\n"
        "failures = []\ndef take():\n    d['k']\n    wait()\n    try: del d['k']\n"
        "    except KeyError: raise Gone('k')\n"
        "try:\n    try: take()\n    except Other as error: failures.append(error)\nexcept Gone: d['k'] = 1",
        DELETED,
    ),
    "perhaps raised again": (
        "failures = []\ndef take():\n    d['k']\n    wait()\n    try: del d['k']\n    except KeyError:\n"
        "        if len(d) > 5: raise\ntry: take()\nexcept KeyError as error: failures.append(error)",
        DELETED,
    ),
    "another error in a handler": (
        "d['k']\nwait()\ntry: d['k']\nexcept KeyError: int('one')",
        DELETED,
    ),
    "another key in a handler": ("d['k']\nwait()\ntry: d['k']\nexcept KeyError: raise KeyError('z')", DELETED),
    "caught, and another one that nobody caught": (
        "d['k']\nwait()\ntry: d['k']\nexcept KeyError: pass\nraise KeyError('k')",
        DELETED,
    ),
    "shown, and caught": (
        "import sys\nd['k']\nwait()\ntry: d['k']\nexcept KeyError:\n"
        "    threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), threading.current_thread()]))",
        DELETED,
    ),
    "its own deletion": ("del d['k']\nwait()\nd['k']", "d['l'] = 3"),
    "what was never there": ("d['l']\nwait()\nd['z']", DELETED),
    "written again": ("d['k']\nwait()\nd['k']", "del d['k']; d['k'] = 4"),
    "waited for": ("d['k']\nlooked.append(1)\ngone.wait()\nd['k']", DELETED),
    "a future that tells of it": (
        "with ThreadPoolExecutor(1) as pool:\n    d['k']\n    wait()\n    pool.submit(drop, 'k').exception()",
        DELETED,
    ),
    "what it was never at before": ("wait()\ndrop('k')", DELETED),
    "another container": ("d['k']\nwait()\nd['m']", "del other['k']"),
    "emptied by itself": (f"items.append(1)\nitems.clear()\nwait()\n{reported('items.pop()')}", "items.clear()"),
    "appended, and taken out by another": (
        f"items.clear()\nitems.append(1)\nwait()\n{reported('items.pop()')}",
        "items.pop()",
    ),
    "appended, and ready": ("items.append(1)\nwait()\ntry: items.pop()\nexcept IndexError: pass", EMPTIED),
    "appended, another one removed": (f"items.append('y')\nwait()\n{reported('items.remove(1)')}", EMPTIED),
    "appended, and an index too far": (f"items.append('y')\nwait()\n{reported('items[7]')}", EMPTIED),
    "appended to another list": (f"items[0]\nrest.append('y')\nwait()\n{reported('items[0]')}", EMPTIED),
    "appended in a loop, another one removed": (
        f"for each in 'ab':\n    if each == 'a': items.append(each)\nwait()\n{reported('items.remove(each)')}",
        EMPTIED,
    ),
    "appended, and waited for": (
        f"items.append(1)\nlooked.append(1)\ngone.wait()\n{reported('items.pop()')}",
        EMPTIED,
    ),
    "appended by its caller": (
        "def take():\n    wait()\n    try: items.pop()\n    except IndexError as error: failures.append(error)\n"
        "items.append(1)\ntake()",
        EMPTIED,
    ),
    "gone for a moment, and ready": (f"wait()\ntry: d['k']\nexcept KeyError: pass{SEEN}", MOMENT),
    "gone for a moment, tried again": (
        f"wait()\nfor _ in range(2):\n    try: d['k']\n    except KeyError as error: failures.append(error){SEEN}",
        MOMENT,
    ),
    "gone for a moment, by two functions": (
        f"wait()\n{reported(DK)}{SEEN}",
        f"drop('k')\n{AGAIN}\nd['k'] = 5",
    ),
    "gone until the other one had looked": (
        f"wait()\n{reported(DK)}\ntold.set()",
        "del d['k']\nchanged.append(1)\ntold.wait()\nd['k'] = 5",
    ),
    "gone, and not put back": (f"wait()\n{reported(DK)}{SEEN}", f"del d['k']\n{AGAIN}"),
}


def program(first: str, second: str) -> str:
    return PROGRAM.replace("FIRST", first.replace("\n", "\n    ")).replace("SECOND", second.replace("\n", "\n    "))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {name: program(first, second) for name, (first, second) in SILENT.items()}
    programs |= {name: program(first, second) for name, (first, second, _) in NOT_YET.items()}
    return told_of(programs, "failed access", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND)
def test_what_another_thread_deleted(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("happened", "proven", FOUND[name][2])]


@pytest.mark.parametrize("name", NOT_YET)
def test_what_another_thread_had_not_written_yet(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("happened", "proven", NOT_YET[name][2])]


def test_what_was_not_there_yet_is_told(scripts: Scripts) -> None:
    first, second, label = NOT_YET["nobody caught it"]
    scripts.write("script.py", program(first, second))
    assert scripts.recorded("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "second shared the object (line" in told
    assert "first's access raised AttributeError" in told
    assert "second wrote 'one' (line" in told
    assert f"access to {label}" in told


@pytest.mark.parametrize("name", SILENT)
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    first, second, label = FOUND["what it had read"]
    scripts.write("script.py", program(first, second))
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert f"1 access failed because of another thread's change of {label}." in told
    assert "so that first's access raised KeyError" in told
    assert "the exception ended first, or was only reported." in told


def test_the_main_thread(scripts: Scripts) -> None:
    first, second, label = FOUND["what it had read"]
    source = program(first, second).replace("(first, second)", "(second,)")
    scripts.write("script.py", source.replace("for thread in threads: thread.join()", "first()"))
    assert scripts.record("script.py").returncode == 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert f"1 access failed because of another thread's change of {label}." in told
    assert "the exception ended MainThread, or was only reported." in told
