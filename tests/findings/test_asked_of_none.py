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
}
SILENT = {
    "never there": ("met()\nseen.append(1)", "client.connection.send()"),
    "ready for it": (f"met()\n{OPEN}", "try: client.connection.send()\n    except AttributeError: pass"),
    "reported": (
        f"met()\n{OPEN}",
        "try: client.connection.send()\n    except AttributeError as error: seen.append(error)",
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
    return PRELUDE + text.replace("    try: SECOND", f"    try:\n        {second.replace(chr(10), chr(10) + '    ')}")


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
    assert "and asked that for an attribute. Then" in told
    assert told.index("└ FAILED") < told.index("└ too late")
