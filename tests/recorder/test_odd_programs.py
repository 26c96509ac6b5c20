"""Whatever a program does, its run is stored and reported: names, values and sources that nobody expects."""

from __future__ import annotations

import pytest

from tests.recording import Scripts

START = """
import threading
counter, table = [0], {}
class Box: pass
box = Box()
def twice(work):
    for _ in range(2):
        thread = threading.Thread(target=work); thread.start(); thread.join()
ODD = ["\\ud800", "a\\0b", "", "\\n", "\\x1b[31mred", "\\u202e", "x" * 100_000, "\\U0010ffff", "日本", "'\\"`|<script>"]
"""

PROGRAMS = {
    "names of threads": """
def work(): counter[0] += 1
for name in ODD:
    thread = threading.Thread(target=work, name=name); thread.start(); thread.join()
""",
    "keys, attributes and globals": """
KEYS = [*ODD, 2**63, -2**63 - 1, 10**5000, float("nan"), float("-inf"), -0.0, b"\\xff\\0", None, ..., 1j]
KEYS += [("\\ud800", (10**1000,))]
def work():
    for key in KEYS:
        table[key] = key
        table[key] = table.get(key)
        if isinstance(key, str):
            setattr(box, key, getattr(box, key, key))
            globals()[key] = globals().get(key)
twice(work)
""",
    "values": """
def deep():
    nested, tuples = [], ()
    for _ in range(100_000): nested, tuples = [nested], (tuples,)
    return nested, tuples
nested, tuples = deep()
class Raises:
    def __eq__(self, other): raise ValueError
    def __bool__(self): raise KeyError
    def __repr__(self): raise SystemExit
    __str__ = __repr__
    def __getattr__(self, name): raise MemoryError
    def __len__(self): return -1
VALUES = [*ODD, "\\udcff" * 70, 2**64, -10**5000, float("nan"), nested, tuples, Raises(), [Raises()]]
VALUES += [memoryview(b""), range(10**30)]
def work():
    for value in VALUES:
        counter[0] = value
        box.value = counter[0]
        table["key"] = box.value
twice(work)
""",
    "types": """
made = []
for name in ODD:
    if "\\0" in name or "\\ud800" in name: continue
    made.append(type(name, (), {"__module__": name})())
for module in (5, None, "\\ud800.x", b"x"):
    made.append(type("T", (), {})()); type(made[-1]).__module__ = module; type(made[-1]).__qualname__ = "\\ud800"
def work():
    for each in made:
        each.x = getattr(each, "x", 0)
        each.x += 1
        counter[0] = each
        box.value = counter[0]
twice(work)
""",
    "files, functions and lines": """
import types
for name in ODD:
    names = {"counter": counter}
    try: exec(compile("def work():\\n    counter[0] += 1\\n", name, "exec"), names)
    except (ValueError, UnicodeError): continue
    twice(names["work"])
changes = [{"co_name": name, "co_qualname": name} for name in ODD] + [{"co_firstlineno": 2**30}, {"co_firstlineno": 0}]
for change in changes:
    twice(types.FunctionType(names["work"].__code__.replace(**change), names))
long = "v" * 60_000
names = {}
exec(compile(f"def work():\\n    global {long}\\n    {long} = 1\\n    {long} += 1\\n", "<long>", "exec"), names)
twice(names["work"])
""",
    "sources that go away": """
import importlib, os, pathlib, shutil, sys, tempfile
folder = pathlib.Path(tempfile.mkdtemp()); sys.path.insert(0, str(folder))
(folder / "latin.py").write_bytes(b"# coding: latin-1\\nx = {'\\xe9': 0}\\ndef work():\\n    x['\\xe9'] += 1\\n")
(folder / "bom.py").write_bytes(b"\\xef\\xbb\\xbfx = [0]\\r\\n\\x0cdef work():\\r\\n\\tx[0] += 1")
sjis = "# coding: shift_jis\\nx = {'表': 0}\\ndef work():\\n    x['表'] += 1\\n".encode("shift_jis")
(folder / "sjis.py").write_bytes(sjis)
for name in ("latin", "bom", "sjis"):
    module = importlib.import_module(name)
    (folder / f"{name}.py").write_text("# another")
    twice(module.work)
os.chdir(folder)
shutil.rmtree(folder)
def work(): counter[0] += 1
for name in ("threading", "linecache", "codecs"): sys.modules.pop(name, None)
twice(work)
""",
    "what it prints": """
import sys
def work(): counter[0] += 1
twice(work)
sys.stdout.buffer.write(b"\\xff\\0\\x1b[31m\\n"); sys.argv.append("\\udcff")
""",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_odd_program(program: str, scripts: Scripts) -> None:
    scripts.write("script.py", "# coding: utf-8\n" + START + PROGRAMS[program] + "\nprint('done')\n")
    done = scripts.record("--keep=all", "--calls", "--runs=2", "script.py")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"done\n")
    assert scripts.spools() == []
    assert scripts.query("SELECT missed, holes, accesses > 0 FROM runs") == [(0, 0, 1)] * 2
    for command in (
        "report",
        "report --format json",
        "report --format markdown",
        "runs",
        "query threads",
        "query modules",
    ):
        told = scripts.opcodetrace(*command.split())
        assert (told.returncode, told.stderr) == (0, b""), command
        assert told.stdout
        assert b"\x1b" not in told.stdout
