"""Containers that a thread emptied, or replaced by new ones, and filled again, while another one asked for an item."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.findings.test_uncaught_failure import AGAIN, DK, SEEN, program, reported
from tests.recording import Scripts

FILLED = ('d, chosen, box, other = {"k": 1, "l": 2},', "d = {}\nd['k'] = 1\nchosen, box, other =")
FILL = "d['k'] = 5"
DZ = "d['z']"
CLEARED = f"d.clear()\n{AGAIN}\n{FILL}"
ANEW = f"global d\nd = {{}}\n{AGAIN}\n{FILL}"
ASKED = f"d['k']\nwait()\n{reported(DK)}{SEEN}"
GONE = "class Gone(Exception): pass\n"


def refused(check: str, before: str = "d['k']\n") -> str:
    return f"{GONE}def take():\n    {check}\n{before}wait()\n{reported('take()', 'Gone')}{SEEN}"


NOT_IN = refused("if 'k' not in d: raise Gone('k')\n    return d['k']")
UNSEEN = "made anew twice"  # nobody looked into the one that was replaced
FOUND = {
    "emptied": (ASKED, CLEARED, "d['k']"),
    "emptied, and filled by update": (ASKED, f"d.clear()\n{AGAIN}\nd.update(k=5, l=6)", "d['k']"),
    "emptied, and filled by what it calls": (ASKED, f"def put():\n    {FILL}\nd.clear()\n{AGAIN}\nput()", "d['k']"),
    "nobody caught it": ("d['k']\nwait()\ntry: d['k']\nfinally: looked.append(2)", CLEARED, "d['k']"),
    "made anew": (ASKED, ANEW, "d['k']"),
    UNSEEN: (ASKED, ANEW.replace("d = {}", "d = {}\nd['k'] = 3\nd = {}"), "d['k']"),
    "made anew in an attribute": (
        f"box.d['k']\nwait()\n{reported('box.d[chr(107)]')}{SEEN}",
        f"box.d = {{}}\n{AGAIN}\nbox.d['k'] = 5",
        "box.d['k']",
    ),
    "raised if it is not in": (NOT_IN, CLEARED, "d['k']"),
    "raised if it is not in what is made anew": (NOT_IN, ANEW, "d['k']"),
    "raised if nothing is got": (
        refused("one = d.get('k')\n    if one is None: raise Gone('k')\n    return one"),
        CLEARED,
        "d['k']",
    ),
    "raised after what is done if it is in": (
        refused("if 'k' in d: return d['k']\n    raise Gone('k')"),
        CLEARED,
        "d['k']",
    ),
    "raised after what is done if something is got": (
        refused("one = d.get('k')\n    if one is not None: return one\n    raise Gone('k')"),
        CLEARED,
        "d['k']",
    ),
    "raised otherwise": (
        refused("if 'k' in d: looked.append(3)\n    else: raise Gone('k')"),
        CLEARED,
        "d['k']",
    ),
    "the first of a list": (
        f"def take():\n    return items[0]\ntake()\nwait()\n{reported('take()')}{SEEN}",
        f"items.clear()\n{AGAIN}\nitems.append('b')",
        "items",
    ),
}
SILENT = {
    "nothing is raised": ("d['k']\nwait()\nd.get('k')" + SEEN, CLEARED),
    "ready for it": (f"d['k']\nwait()\ntry: d['k']\nexcept KeyError: pass{SEEN}", CLEARED),
    "tried again": (
        f"d['k']\nwait()\nfor _ in 'ab':\n    try: d['k']\n    except KeyError as error: failures.append(1){SEEN}",
        CLEARED,
    ),
    "never there before": (f"d['k']\nwait()\n{reported(DZ)}{SEEN}", f"d.clear()\n{AGAIN}\nd['z'] = 5"),
    "never there before, and made anew": (
        f"d['k']\nwait()\n{reported(DZ)}{SEEN}",
        f"global d\nd = {{}}\n{AGAIN}\nd['z'] = 5",
    ),
    "another item is put there": (ASKED, f"d.clear()\n{AGAIN}\nd['l'] = 5"),
    "put there by the other one": (f"{ASKED}\nd['k'] = 7", f"d.clear()\n{AGAIN}"),
    "filled until the other one had looked": (
        f"d['k']\nwait()\n{reported(DK)}\ntold.set()",
        f"d.clear()\nchanged.append(1)\ntold.wait()\n{FILL}",
    ),
    "emptied by another function": (ASKED, f"def wipe():\n    d.clear()\nwipe()\n{AGAIN}\n{FILL}"),
    "an error that is dealt with": (NOT_IN.replace("failures.append(error)", "d['k'] = 3"), CLEARED),
    "raised within a try": (
        refused("try:\n        if 'k' not in d: raise Gone('k')\n    except Gone: return 3"),
        CLEARED,
    ),
    "something else is asked for, too": (refused("if 'k' not in d and len(d) > 9: raise Gone('k')"), CLEARED),
    "an index of a list that is not always the same": (
        f"n = 0\ndef take():\n    return items[n]\ntake()\nwait()\n{reported('take()')}{SEEN}",
        f"items.clear()\n{AGAIN}\nitems.append('b')",
    ),
    "an index that the list never had": (
        f"items[0]\nwait()\n{reported('items[4]')}{SEEN}",
        f"items.clear()\n{AGAIN}\nitems.append('b')",
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: made(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {name: made(first, second) for name, (first, second) in SILENT.items()}
    return told_of(programs, "failed access", tmp_path_factory.mktemp("forms"))


def made(first: str, second: str) -> str:
    """Containers are filled by the main thread, as it were by an earlier refresh."""
    filled = program(first, second).replace(*FILLED)
    return filled.replace('box.name = "full"', "box.d = {}\nbox.d['k'] = 1")


@pytest.mark.parametrize("name", FOUND)
def test_what_was_away_for_a_moment(name: str, told: dict[str, Told]) -> None:
    certainty = "inferred" if name == UNSEEN else "proven"
    assert told[name].findings == [("happened", certainty, FOUND[name][2])]


@pytest.mark.parametrize("name", SILENT)
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", made(NOT_IN, ANEW))
    assert scripts.recorded("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "second took it away for a moment (line" in told
    assert "so that first found that it was not there and raised an error (line" in told
    assert "Then second put it there again (line" in told
