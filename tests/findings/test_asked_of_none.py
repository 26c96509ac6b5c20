"""None that was asked for an attribute, because another thread was too late, or too early; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts
from tests.truth.published_shapes import PRELUDE, SIGNALS

# The first thread gives the second one its turn in `met`; nothing of that is recorded.
PROGRAM = """
class Connection:
    name = "c"
    def send(self): return 1
class Client:
    def __init__(self): self.connection = None
    def ready(self): return self.connection
client, table, seen, done = Client(), {"c": None}, [], Event()
glob = None
def met():
    one.give(); other.wait()
def first():
    global glob
    FIRST
def second():
    global glob
    one.wait()
    try: SECOND
    finally: other.give()
run(first, second)
"""
OPEN = "client.connection = Connection()"
CLOSE = "client.connection = None"
REPORTED = "try: client.connection.send()\nexcept AttributeError as error: seen.append(error)"
INNER = "    " + REPORTED.replace("\n", "\n    ")
MOMENT = f"{OPEN}\n{CLOSE}\nmet()\n{OPEN}"
FOUND = {
    "a method, too early": (f"met()\n{OPEN}", "client.connection.send()", "self.connection"),
    "an attribute, too early": (f"met()\n{OPEN}", "seen.append(client.connection.name)", "self.connection"),
    "an item, too early": ("met()\ntable['c'] = Connection()", "table['c'].send()", "table['c']"),
    "a global, too early": ("met()\nglob = Connection()", "glob.send()", "global glob"),
    "by a variable, too early": (
        f"met()\n{OPEN}",
        "connection = client.connection; seen.append(1); connection.send()",
        "self.connection",
    ),
    "used before": (
        f"{OPEN}\nclient.connection.send()\nmet()\nclient.connection.send()",
        CLOSE,
        "self.connection",
    ),
    "put there by itself": (f"{OPEN}\nmet()\nclient.connection.send()", CLOSE, "self.connection"),
    "in what it was at": (
        f"def work():\n    seen.append(2)\n    table['c']\n    met()\n    client.connection.send()\n{OPEN}\nwork()",
        CLOSE,
        "self.connection",
    ),
    "reported, put there by itself": (f"{OPEN}\nmet()\n{REPORTED}", CLOSE, "self.connection"),
    "reported, put there by what it called": (
        f"def connect():\n    {OPEN}\nconnect()\nmet()\n{REPORTED}",
        CLOSE,
        "self.connection",
    ),
    "reported, called": (
        "table['c'] = len\nmet()\ntry: table['c'](seen)\nexcept Exception as error: seen.append(error)",
        "table['c'] = None",
        "table['c']",
    ),
    "reported, an item of it": (
        "table['c'] = [1]\nmet()\ntry: table['c'][0]\nexcept TypeError as error: seen.append(error)",
        "table['c'] = None",
        "table['c']",
    ),
    "reported, looked into": (
        "table['c'] = [1]\nmet()\ntry: 1 in table['c']\nexcept TypeError as error: seen.append(error)",
        "table['c'] = None",
        "table['c']",
    ),
    "reported, counted": (
        "table['c'] = [1]\nmet()\ntry: len(table['c'])\nexcept TypeError as error: seen.append(error)",
        "table['c'] = None",
        "table['c']",
    ),
    "reported, gone over": (
        "table['c'] = [1]\nmet()\ntry:\n    for each in table['c']: pass\n"
        "except Exception as error: seen.append(error)",
        "table['c'] = None",
        "table['c']",
    ),
    "reported, gone for a moment": (MOMENT, REPORTED, "self.connection"),
    "reported, gone for a moment, of one of many": (
        MOMENT,
        "for each in [client]:\n    try: each.connection.send()\n"
        "    except AttributeError as error: seen.append(error)",
        "self.connection",
    ),
}
SILENT = {
    "reported, put there by its caller": (
        f"def work():\n    met()\n{INNER}\ndef outer():\n    {OPEN}\n    work()\nouter()",
        CLOSE,
    ),
    "reported, None put there by itself": (f"{OPEN}\nmet()\n{CLOSE}\n{REPORTED}", "seen.append(client.connection)"),
    "reported, another error": (
        f"{OPEN}\nmet()\ntry: client.connection.send()\nexcept KeyError as error: seen.append(error)\n"
        "except AttributeError: pass",
        CLOSE,
    ),
    "reported, waited for": (
        f"{OPEN}\none.give()\ndone.wait()\n{REPORTED}",
        f"{CLOSE}; done.set()",
    ),
    "what None has, too": (
        f"{OPEN}\nmet()\ntry: client.connection.__class__\nexcept AttributeError as error: seen.append(error)",
        CLOSE,
    ),
    "gone for a moment, and ready for it": (MOMENT, "try: client.connection.send()\nexcept AttributeError: pass"),
    "gone for a moment, tried again": (
        MOMENT,
        "for _ in range(2):\n    try: client.connection.send()\n    except AttributeError as error: seen.append(error)",
    ),
    "gone for a moment, tried until it goes well": (
        MOMENT,
        "for each in [client, client]:\n    try:\n        each.connection.send()\n        break\n"
        "    except AttributeError as error: seen.append(error)",
    ),
    "gone for a moment, never there before": (f"{CLOSE}\nmet()\n{OPEN}", REPORTED),
    "closed and opened by two functions": (
        f"def close():\n    {CLOSE}\n{OPEN}\nclose()\nmet()\n{OPEN}",
        REPORTED,
    ),
    "gone until the other one had looked": (
        f"{OPEN}\n{CLOSE}\none.give()\ndone.wait()\n{OPEN}",
        f"{REPORTED}\ndone.set()",
    ),
    "never there": ("met()\nseen.append(1)", "client.connection.send()"),
    "ready for it": (f"met()\n{OPEN}", "try: client.connection.send()\nexcept AttributeError: pass"),
    "reported": (
        f"met()\n{OPEN}",
        "try: client.connection.send()\nexcept AttributeError as error: seen.append(error)",
    ),
    "put there by itself, None too": (f"{OPEN}\n{CLOSE}\nmet()\nclient.connection.send()", "seen.append(1)"),
    "another object": (f"met()\n{OPEN}", "own = Client(); own.connection.send()"),
    "an attribute that it has not": (f"{OPEN}\nmet()", "client.connection.close()"),
    "of what a function gave": (f"met()\n{OPEN}", "client.ready().send()"),
    "None again": ("met()\nclient.connection = None", "client.connection.send()"),
    "of something else": (f"met()\n{OPEN}", "seen.append(client.connection); nothing = None; nothing.send()"),
    "waited for": (
        f"{OPEN}\nclient.connection.send()\none.give()\ndone.wait()\nclient.connection.send()",
        f"{CLOSE}; done.set()",
    ),
}


def program(first: str, second: str) -> str:
    text = PROGRAM.replace("FIRST", first.replace("\n", "\n    "))
    return PRELUDE + text.replace("    try: SECOND", f"    try:\n        {second.replace(chr(10), chr(10) + ' ' * 8)}")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "signals.py").write_text(SIGNALS)
    programs = {f"found: {name}": program(first, second) for name, (first, second, _) in FOUND.items()}
    programs |= {f"silent: {name}": program(*both) for name, both in SILENT.items()}
    return told_of(programs, "failed access", folder, "--exclude", "signals")


@pytest.mark.parametrize("name", FOUND)
def test_what_was_not_there(name: str, told: dict[str, Told]) -> None:
    assert told[f"found: {name}"].findings == [("happened", "proven", FOUND[name][2])]


@pytest.mark.parametrize("name", SILENT)
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[f"silent: {name}"].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    first, second, _ = FOUND["a method, too early"]
    scripts.write("signals.py", SIGNALS)
    scripts.write("script.py", program(first, second))
    assert scripts.recorded("script.py", "--exclude", "signals").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "read None (line" in told
    assert "and used that as something else. Then" in told
    assert told.index("└ FAILED") < told.index("└ too late")
