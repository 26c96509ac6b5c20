"""A program whose modules come from the cache is recorded just as one whose modules are woven anew."""

from __future__ import annotations

from pathlib import Path

from tests.recording import Recording, Scripts, environment

MAIN = """
import threading
import bank, other.deep, bank as again
turn = [threading.Event(), threading.Event()]
def pay(own, next):
    for number in range(3):
        turn[own].wait()
        turn[own].clear()
        bank.add(number)
        other.deep.spread(bank.totals)
        turn[next].set()
threads = [threading.Thread(target=pay, args=(i, 1 - i)) for i in range(2)]
for thread in threads: thread.start()
turn[0].set()
for thread in threads: thread.join()
print(bank.totals, __import__("sys").modules["bank"].__spec__.cached[-4:])
"""
BANK = """
totals = {"all": 0}
class Count:
    calls = 0
def add(number):
    kept = totals["all"]
    for _ in range(number):
        kept += 1
    totals["all"] = kept
    Count.calls += 1
    def nested():
        nonlocal kept
        kept += 1
        return kept
    totals["last"] = nested() if number % 2 else nested()
"""
DEEP = "def spread(totals):\n    for key in list(totals):\n        totals[key] = totals[key] + 1\n"
EVENTS = """
    SELECT events.kind, CASE WHEN events.value_type IS NULL THEN events.value END, events.value_type,
        events.certainty, location.label, site.line, site.function, site.operation,
        site.expression, file.path, events.source_seq IS NULL, thread.name
    FROM events JOIN sites AS site ON site.id = events.site_id JOIN files AS file ON file.id = site.file_id
    LEFT JOIN locations AS location ON location.id = events.location_id
    JOIN threads AS thread ON thread.run_id = events.run_id AND thread.thread = events.thread
    WHERE events.run_id = ? ORDER BY thread.name, events.seq"""


def recorded(scripts: Scripts, *options: str, prefix: str = "") -> str:
    """Records the program once more, as a user whose Python writes .pyc files."""
    changes = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": prefix}
    done = scripts.run(scripts.recording_command("--keep=all", *options, "main.py"), env=environment(**changes))
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


def write(scripts: Scripts) -> Scripts:
    scripts.write("main.py", MAIN)
    scripts.write("bank.py", BANK)
    scripts.write("other/__init__.py", "")
    scripts.write("other/deep.py", DEEP)
    return scripts


def kept(folder: Path) -> list[Path]:
    """Those of modules. That of the script is kept once Python has made a folder for them."""
    return sorted(path for path in folder.rglob("*.woven") if not path.name.startswith("main."))


def test_the_same_trace_from_a_cold_and_a_warm_cache(scripts: Scripts) -> None:
    write(scripts)
    first = recorded(scripts)
    names = [path.name.partition(".")[0] for path in kept(scripts.folder)]
    assert sorted(names) == ["__init__", "bank", "deep"]
    times = [path.stat().st_mtime_ns for path in kept(scripts.folder)]
    assert recorded(scripts) == first
    assert [path.stat().st_mtime_ns for path in kept(scripts.folder)] == times
    database = Recording(0, "", "", scripts.database)
    assert database.query(EVENTS, 1) == database.query(EVENTS, 2)
    assert len(database.query(EVENTS, 1)) > 50
    modules = "SELECT name, functions, unwoven, reason FROM modules WHERE run_id = ?"
    assert database.query(modules, 1) == database.query(modules, 2)
    (site_rows,) = database.query("SELECT count(*), count(DISTINCT file_id) FROM sites")
    (used,) = database.query("SELECT count(DISTINCT site_id) FROM run_sites")
    assert site_rows[0] == used[0]  # the second run brought no new ones


def test_the_script_is_kept_too(scripts: Scripts) -> None:
    """But only if there is a __pycache__ already: plain Python makes none for a script."""
    scripts.write("main.py", "import bank" + MAIN.replace("import bank, other.deep, bank as again", "other = bank"))
    scripts.write("bank.py", BANK + DEEP + "deep = __import__('sys').modules['bank']\n")
    outputs = {recorded(scripts)}
    assert not list(scripts.folder.rglob("main.*.woven"))
    outputs.add(recorded(scripts))
    (script,) = scripts.folder.rglob("main.*.woven")
    written = script.stat().st_mtime_ns
    outputs.add(recorded(scripts))
    assert script.stat().st_mtime_ns == written
    database = Recording(0, "", "", scripts.database)
    assert len(outputs) == 1
    assert database.query(EVENTS, 1) == database.query(EVENTS, 2) == database.query(EVENTS, 3)
    scripts.write("main.py", "print('another')\n")
    assert recorded(scripts) == "another\n"


def test_a_changed_module_is_woven_anew(scripts: Scripts) -> None:
    write(scripts)
    recorded(scripts)
    scripts.write("bank.py", BANK.replace("kept += 1\n        return", "kept += 20\n        return"))
    recorded(scripts)
    database = Recording(0, "", "", scripts.database)
    values = "SELECT value FROM accesses WHERE function = 'add.<locals>.nested' AND run_id = ? AND kind = 'write'"
    ((_, *first), (_, *second)) = (database.query(values, run) for run in (1, 2))
    assert first and second and first != second


def test_a_damaged_file_is_woven_anew(scripts: Scripts) -> None:
    write(scripts)
    first = recorded(scripts)
    for path in kept(scripts.folder):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert recorded(scripts) == first
    database = Recording(0, "", "", scripts.database)
    assert database.query(EVENTS, 1) == database.query(EVENTS, 2)


def test_where_python_writes_no_pyc_nothing_is_written(scripts: Scripts) -> None:
    write(scripts)
    done = scripts.recorded("main.py", options=["-B"])
    assert done.returncode == 0
    assert not list(scripts.folder.rglob("__pycache__"))


def test_the_cache_follows_pycache_prefix(scripts: Scripts) -> None:
    write(scripts)
    prefix = scripts.database.parent / "prefix"
    recorded(scripts, prefix=str(prefix))
    assert kept(prefix)
    assert not list(scripts.folder.joinpath("other").rglob("__pycache__"))
