"""`opcodetrace.record`: recordings in the process that asks for them, this one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import linecache
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

import opcodetrace
from opcodetrace import pipeline, recorder
from opcodetrace.errors import AlreadyRecording, DatabaseError, FindingsError, OpcodetraceError, UsageError
from opcodetrace.trace.run import Truncation
from tests.recorder import racing
from tests.recording import Scripts, environment

shared = [0]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "trace.db"


def query(database: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(sql, parameters).fetchall()
    return rows


def codes() -> dict[int, tuple[FunctionType, CodeType]]:
    """The code of every function that lives in the two modules, and in those of the library that are described."""
    spaces = (vars(racing), globals(), vars(threading), vars(sys.modules["queue"]))
    return {
        id(each): (each, each.__code__)
        for each in gc.get_referrers(*spaces)  # looks at every object of the process
        if isinstance(each, FunctionType) and any(each.__globals__ is space for space in spaces)
    }


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """Whatever a test does: every function has its own code again, and no spool is left."""
    before = codes()
    allocated = sys.getswitchinterval()
    yield
    for function, code in before.values():
        assert function.__code__ is code, function
    assert sys.getswitchinterval() == allocated


# --- what a recording gives


def test_with(database: Path) -> None:
    with opcodetrace.record(racing, database=database) as recording:
        racing.lose()
    assert (recording.run, recording.lost, recording.lost_at_most, recording.truncated) == (1, 1, 1, None)
    (finding,) = recording.findings
    assert (finding.label, finding.count) == ("counter[0]", 1)
    assert (finding.kind.name, finding.severity, finding.certainty) == ("lost update", "happened", "proven")
    lost = finding.sites["lost write"]
    assert (lost.function, lost.source_line) == ("fast", "counter[0] += 1")
    assert finding.sites["overwriting write"].function == "slow"
    assert "1 update of counter[0] was lost." in recording.report()
    assert recording.report("markdown").startswith("## 1 update of `counter[0]` was lost")
    assert json.loads(recording.report("json"))["schema"].startswith("opcodetrace-report/")
    assert recording._repr_markdown_() == recording.report("markdown")
    assert repr(recording) == f"<opcodetrace.Recording: run 1 of {database}, 1 lost update>"
    ((script, exit_code, births),) = query(database, "SELECT script, exit_code, births FROM runs")
    assert (script, exit_code, births) == (__file__, 0, 1)
    assert not list(database.parent.glob("*spool*"))


def test_nothing_lost(database: Path) -> None:
    with opcodetrace.record(racing, database=database) as recording:
        racing.keep_all()
    assert (recording.lost, recording.findings) == (0, ())
    assert query(database, "SELECT count(*) FROM accesses") == [(4,)]


def add_here() -> None:
    shared[0] += 1


def test_without_targets_the_callers_module_is_watched(database: Path) -> None:
    with opcodetrace.record(database=database):
        for _ in range(2):
            racing.in_threads(add_here)
        racing.keep_all()
    assert query(database, "SELECT DISTINCT function FROM accesses") == [("add_here",)]


@pytest.mark.parametrize(
    ("targets", "functions"),
    [
        ((racing.add,), {"add"}),
        ((racing.add, racing.add), {"add"}),
        (("tests.recorder.racing",), {"add", "put"}),
        ((racing.put, racing.add), {"add", "put"}),
        ((racing.keep_closure,), set()),
    ],
)
def test_targets(targets: tuple[object, ...], functions: set[str], database: Path) -> None:
    with opcodetrace.record(*targets, database=database):
        racing.keep_all()
        racing.say("x")
    assert {name for (name,) in query(database, "SELECT DISTINCT function FROM accesses")} == functions


def test_all_kinds_of_functions(database: Path) -> None:
    with opcodetrace.record(racing, database=database):
        racing.call_all()
    sql = "SELECT DISTINCT function FROM accesses WHERE location = 'shared[0]'"
    assert {name for (name,) in query(database, sql)} == {
        "Account.Inner.nested",
        "Account.method",
        "Account.static",
        "Account.of_class",
        "Account.prop",
        "Account.cached",
        "behind_plain",
        "behind_wraps",
        "behind_cache",
        "made.<locals>.inner",
        "<lambda>",
    }


def test_a_class(database: Path) -> None:
    with opcodetrace.record(racing.Account, racing.Account().method, database=database):
        racing.call_all()
    functions = {name for (name,) in query(database, "SELECT DISTINCT function FROM accesses")}
    assert functions == {
        f"Account.{name}" for name in ("Inner.nested", "method", "static", "of_class", "prop", "cached")
    }


def test_variables(database: Path) -> None:
    """Globals and cells that are assigned more than once are watched, others not."""
    total = 0

    def work() -> None:
        nonlocal total
        total += 1
        racing.count_hits()

    with opcodetrace.record(racing, work, database=database):
        for _ in range(2):
            racing.in_threads(work)
    assert {name for (name,) in query(database, "SELECT label FROM locations")} == {"cell total", "global hits"}
    assert total == 2


# --- as a decorator


def test_decorator(database: Path) -> None:
    @opcodetrace.record(racing, database=database)
    def body(count: int) -> str:
        """Its text."""
        total = 0

        def work() -> None:
            nonlocal total
            total += 1

        for _ in range(2):
            racing.in_threads(work)
        racing.lose(count)
        return "done"

    assert (body.__name__, body.__doc__) == ("body", "Its text.")
    assert vars(body)["recording"] is None
    assert body(2) == "done"
    first = body.recording  # type: ignore[attr-defined]
    assert (first.run, first.lost) == (1, 2)
    assert {name for (name,) in query(database, "SELECT label FROM locations")} == {"cell total", "counter[0]"}
    assert body(1) == "done"
    second = body.recording  # type: ignore[attr-defined]
    assert (second.run, second.lost, first.lost) == (2, 1, 2)
    ((script,),) = query(database, "SELECT DISTINCT script FROM runs")
    assert script == f"{__file__}::test_decorator.<locals>.body"


def test_decorated_coroutine(database: Path) -> None:
    @opcodetrace.record(racing, database=database)
    async def body() -> int:
        await asyncio.sleep(0)
        racing.lose()
        return 7

    assert asyncio.run(body()) == 7
    assert body.recording.lost == 1  # type: ignore[attr-defined]


def test_decorated_method(database: Path) -> None:
    class Tests:
        @opcodetrace.record(racing, database=database)
        def test(self) -> str:
            racing.lose()
            return type(self).__name__

    assert Tests().test() == "Tests"
    assert Tests.test.recording.lost == 1  # type: ignore[attr-defined]


# --- how it ends


def test_exceptions_pass_unchanged(database: Path) -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught, opcodetrace.record(racing, database=database) as recording:
        racing.lose()
        raise error
    assert caught.value is error
    assert error.__context__ is None
    assert error.__cause__ is None
    assert (recording.lost, query(database, "SELECT exit_code FROM runs")) == (1, [(1,)])


def test_exception_of_a_woven_function(database: Path) -> None:
    with pytest.raises(ValueError, match="on purpose") as caught, opcodetrace.record(racing, database=database):
        racing.fail()
    last = caught.traceback[-1]
    assert (last.name, str(last.statement).strip()) == ("fail", 'raise ValueError("on purpose")')


def test_check(database: Path) -> None:
    checked = opcodetrace.record(racing, database=database, check=True)
    with pytest.raises(FindingsError, match=r"1 update of counter\[0\] was lost") as caught, checked:
        racing.lose()
    assert isinstance(caught.value, AssertionError)
    with opcodetrace.record(racing, database=database, check=True):
        racing.keep_all()
    with pytest.raises(ZeroDivisionError), opcodetrace.record(racing, database=database, check=True):
        racing.lose()
        _ = 1 / 0


def test_functions_made_meanwhile_get_their_own_code(database: Path) -> None:
    racing.kept.clear()
    original = racing.closure.__code__
    with opcodetrace.record(racing, database=database):
        racing.keep_closure()
        assert racing.kept[0].__code__ is not original
    assert racing.kept[0].__code__ is original


def test_code_that_the_body_replaced_stays(database: Path) -> None:
    def other() -> None: ...

    before = racing.count_hits.__code__
    try:
        with opcodetrace.record(racing, database=database):
            racing.count_hits.__code__ = other.__code__
        assert racing.count_hits.__code__ is other.__code__
    finally:
        racing.count_hits.__code__ = before


def test_truncated(database: Path) -> None:
    with opcodetrace.record(racing, database=database, max_events=40) as recording:
        racing.lose(20)
    assert recording.truncated is Truncation.LIMIT
    assert "Truncated" in recording.report()
    assert racing.counter[0] > 0


def test_switch_interval(database: Path) -> None:
    with opcodetrace.record(racing, database=database, switch_interval=0.25):
        assert sys.getswitchinterval() == 0.25
    assert query(database, "SELECT switch_interval FROM runs") == [(0.25,)]


def test_keep_all(database: Path) -> None:
    with opcodetrace.record(racing, database=database, keep_all=True):
        racing.add()
    assert query(database, "SELECT kind, location FROM accesses") == [("read", "counter[0]"), ("write", "counter[0]")]


# --- again and again


def test_many_recordings_in_one_process(database: Path) -> None:
    """Each has its own numbers of threads, texts and types; a thread that lives on is a thread of each."""
    work: list[Callable[[], None]] = []
    wanted, done, over = threading.Semaphore(0), threading.Semaphore(0), False

    def live_on() -> None:
        while True:
            wanted.acquire()
            if over:
                return
            work.pop()()
            done.release()

    lasting = threading.Thread(target=live_on, name="lasting")
    lasting.start()
    recorder = opcodetrace.record(racing, database=database)
    for number in range(1, 10):
        with recorder as recording:
            text = f"text {number}"
            racing.say(text)
            work.append(racing.add)
            wanted.release()
            done.acquire()
            racing.add()
            if number % 3 == 0:
                racing.lose()
        assert (recording.run, recording.lost) == (number, int(number % 3 == 0))
        sql = "SELECT value FROM accesses WHERE run_id = ? AND location = ? ORDER BY seq DESC LIMIT 1"
        (last,) = query(database, sql, number, "table['key']")
        assert last == (text,)
        names = [
            name for (name,) in query(database, "SELECT name FROM threads WHERE run_id = ? ORDER BY thread", number)
        ]
        assert names[0] == "MainThread"
        assert "lasting" in names
        assert len(names) == 6 if number % 3 == 0 else 4
        ((births, types),) = query(
            database,
            "SELECT births, group_concat(DISTINCT container_type) FROM runs JOIN locations ON run_id = runs.id "
            "WHERE runs.id = ?",
            number,
        )
        assert (births, set(types.split(","))) == (1, {"list", "dict"})
    over = True
    wanted.release()
    lasting.join()


def test_the_recording_thread_is_the_first(database: Path) -> None:
    def body() -> None:
        with opcodetrace.record(racing, database=database):
            racing.add()
            racing.in_threads(racing.add)

    thread = threading.Thread(target=body, name="elsewhere")
    thread.start()
    thread.join()
    assert query(database, "SELECT name FROM threads WHERE thread = 0") == [("elsewhere",)]


def test_tracemalloc(database: Path) -> None:
    """It watches births too, or wraps the allocator: before, during, and after a recording."""
    for start_before in (True, False):
        if start_before:
            tracemalloc.start()
        try:
            with opcodetrace.record(racing, database=database) as recording:
                if not start_before:
                    tracemalloc.start()
                racing.lose()
        finally:
            tracemalloc.stop()
        assert recording.lost_at_most <= 1
    with opcodetrace.record(racing, database=database) as recording:
        racing.lose()
    assert recording.lost == 1
    assert query(database, "SELECT births FROM runs WHERE id = 3") == [(1,)]


# --- what cannot be


def test_one_recording_at_a_time(database: Path) -> None:
    raised: list[BaseException] = []

    def elsewhere() -> None:
        try:
            with opcodetrace.record(racing, database=database):
                pass
        except AlreadyRecording as error:
            raised.append(error)

    with opcodetrace.record(racing, database=database) as recording:
        racing.lose()
        elsewhere()
        racing.in_threads(elsewhere)
        with pytest.raises(UsageError, match="not stored"):
            _ = recording.lost
        assert repr(recording) == f"<opcodetrace.Recording of {__file__}, not stored>"
        assert recording._repr_markdown_() == f"`{recording!r}`"
        racing.lose()
    assert [str(error) for error in raised] == [
        "cannot record: another recording is under way in this process; end it first, or record around both"
    ] * 2
    assert (recording.lost, query(database, "SELECT count(*) FROM runs")) == (2, [(1,)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: opcodetrace.record(max_events=0), "max_events is 0"),
        (lambda: opcodetrace.record(max_events="many"), "max_events is 'many'"),  # type: ignore[arg-type]
        (lambda: opcodetrace.record(window_bytes=5), "window_bytes is 5"),
        (lambda: opcodetrace.record(switch_interval=0), "switch_interval is 0"),
        (lambda: opcodetrace.record()(3), "decorate a function"),  # type: ignore[arg-type]
        (lambda: opcodetrace.record()(racing.Account), "decorate a function"),
        (lambda: opcodetrace.record()(len), "decorate a function"),
        (lambda: opcodetrace.record()(lambda: (yield)), "it is a generator"),
    ],
)
def test_wrong_arguments(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize(
    ("target", "message"),
    [(3, "cannot record 3:"), (len, "built-in function len"), ("no.such", "No module named 'no'")],
)
def test_wrong_targets(target: object, message: str, database: Path) -> None:
    with pytest.raises(UsageError, match=message), opcodetrace.record(target, database=database):
        raise AssertionError("the body ran")
    with opcodetrace.record(racing, database=database) as recording:
        racing.lose()
    assert recording.lost == 1


def test_wrong_format(database: Path) -> None:
    with opcodetrace.record(racing, database=database) as recording:
        pass
    with pytest.raises(UsageError, match="no report format 'pdf'; take one of text"):
        recording.report("pdf")


def test_database_that_cannot_be(tmp_path: Path) -> None:
    nowhere = opcodetrace.record(racing, database=tmp_path / "no" / "trace.db")
    with pytest.raises(DatabaseError, match="there is no folder"), nowhere:
        raise AssertionError("the body ran")
    with opcodetrace.record(racing, database=tmp_path / "trace.db") as recording:
        racing.lose()
    assert recording.lost == 1


def test_what_cannot_be_stored_is_kept(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: object) -> int:
        raise DatabaseError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "store_run", failing)
        told = r"could not be stored: no room; .* opcodetrace recover -d "
        with pytest.raises(OpcodetraceError, match=told), opcodetrace.record(racing, database=database):
            racing.lose()
        with pytest.raises(KeyError), opcodetrace.record(racing, database=database) as recording:
            raise KeyError
    assert "could not be stored: no room" in capsys.readouterr().err
    assert recording.run is None
    assert recorder.recover(database, print) == [1, 2]
    assert query(database, "SELECT lost, exit_code, recovered FROM runs") == [(1, 0, 1), (0, 1, 1)]


# --- sources that are no files


def test_a_cell_of_a_notebook(database: Path) -> None:
    source = "def work():\n    data[0] += 1\n"
    name = "<ipython-input-1-test>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"data": [0], "__name__": "__main__"}
    exec(compile(source, name, "exec"), namespace)
    work = namespace["work"]
    with opcodetrace.record(work, database=database):
        for _ in range(2):
            racing.in_threads(work)
    assert query(database, "SELECT DISTINCT location, path FROM accesses") == [("data[0]", name)]


def test_a_forked_child_leaves_the_block_too(database: Path) -> None:
    """It stores nothing, and records nothing more; it may record again."""
    with opcodetrace.record(racing, database=database) as recording:
        racing.lose()
        child = os.fork()
        if child == 0:
            racing.add()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            assert recording.run is None
            with opcodetrace.record(racing, database=database.with_name("child.db")) as own:
                racing.lose(2)
            status = 0 if own.lost == 2 else 2
        os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (recording.lost, query(database, "SELECT count(*) FROM runs")) == (1, [(1,)])


# --- in processes of their own


def run(program: str, *arguments: object, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment())


def test_a_getter_is_seen_whenever_it_was_made(tmp_path: Path) -> None:
    """Its type has the flags that it had, and each instance its own function to be called by."""
    (tmp_path / "bank.py").write_text(
        textwrap.dedent("""
        import operator, threading
        totals = [0]
        def slow(first, has_read, has_added):
            value = first(totals)
            has_read.set()
            has_added.wait()
            totals[0] = value + 1
        def lose(first):
            has_read, has_added = threading.Event(), threading.Event()
            thread = threading.Thread(target=slow, args=(first, has_read, has_added))
            thread.start()
            has_read.wait()
            totals[0] += 1
            has_added.set()
            thread.join()
        """)
    )
    done = run(
        """
        import operator, sys
        sys.path.insert(0, sys.argv[1])
        flags = operator.itemgetter.__flags__
        getters = [operator.itemgetter(0)]
        import bank, opcodetrace
        for number in range(3):
            with opcodetrace.record(bank, database=sys.argv[2]) as recording:
                getters.append(operator.itemgetter(0))
                for getter in getters:
                    bank.lose(getter)
                same = operator.itemgetter.__flags__ == flags
            print(recording.lost, same)
            getters.append(operator.itemgetter(0))
            bank.lose(getters[-1])
        """,
        tmp_path,
        tmp_path / "t.db",
    )
    assert done.stdout.splitlines() == ["2 True", "4 True", "6 True"], done.stderr


def test_import_is_light() -> None:
    done = run("""
        import sys
        import opcodetrace
        loaded = {name.partition(".")[0] for name in sys.modules}
        print(sorted(loaded & {"numpy", "sqlite3", "sqlite_utils", "bytecode"}))
        print(opcodetrace.record.__name__, "numpy" in sys.modules)
        try:
            opcodetrace.nothing
        except AttributeError as error:
            print(error)
    """)
    assert done.stdout.splitlines() == ["[]", "record True", "module 'opcodetrace' has no attribute 'nothing'"], (
        done.stderr
    )


def test_in_a_script_that_is_recorded(scripts: Scripts) -> None:
    """The recording from outside goes on."""
    source = """\
import opcodetrace, threading
counter = [0]
def add():
    counter[0] += 1
try:
    with opcodetrace.record(database="inner.db"):
        print("not reached")
except opcodetrace.in_process.AlreadyRecording as error:
    print(error)
for _ in range(2):
    thread = threading.Thread(target=add)
    thread.start()
    thread.join()
"""
    scripts.write("script.py", source)
    done = scripts.recorded("script.py")
    assert done.stdout == (
        b"cannot record: this process is recorded by `opcodetrace record` already; run the script without it\n"
    ), done.stderr
    assert done.returncode == 0
    assert scripts.query("SELECT label, writes FROM locations WHERE label = 'counter[0]'") == [("counter[0]", 2)]


STRAGGLERS = """
import gc, sys, threading, time
import opcodetrace
data, table, turns, over = [0], {"key": ""}, [0], False

def spin():
    number = 0
    while not over:
        number += 1
        turns[0] += 1
        data[0] += 1
        table["key"] = str(number)
        table[f"key {number % 7}"] = [number]
        box = [number]
        box[0] = box

def brief():
    data[0] += 1

sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=spin, daemon=True) for _ in range(3)]
seen = []
with opcodetrace.record(database=sys.argv[1], max_events=100_000):
    for thread in threads:
        thread.start()
for _ in range(int(sys.argv[2])):
    with opcodetrace.record(database=sys.argv[1], max_events=3000) as recording:
        for _ in range(5):
            thread = threading.Thread(target=brief)
            thread.start()
            thread.join()
        until = turns[0] + 10
        while turns[0] < until: time.sleep(0)
    seen.append(recording.stored.accesses)
over = True
for thread in threads:
    thread.join()
print(all(seen), seen, spin.__code__.co_consts[-1].__class__.__name__)
"""


@pytest.mark.slow
def test_threads_that_run_on(database: Path) -> None:
    """They are in the midst of woven code whenever a recording ends, and when the next one begins."""
    done = run(STRAGGLERS, database, 8)
    assert (done.returncode, done.stdout.split()[:1]) == (0, ["True"]), done.stdout + done.stderr
    assert "Code" not in done.stdout
    # All that is recorded is told of, and belongs to functions, texts and threads of its run.
    assert query(database, "SELECT count(*), sum(missed > 100), sum(holes) FROM runs") == [(9, 0, 0)]
    assert query(database, "SELECT count(*) FROM runs WHERE notes != '[]'") == [(0,)]
    assert query(database, "SELECT count(*) FROM accesses WHERE thread_name IS NULL") == [(0,)]


def test_from_where_functions_were_called(database: Path) -> None:
    with opcodetrace.record(racing, database=database, calls=True) as with_calls:
        racing.lose()
    callers = {("slow", "lose.<locals>.<lambda>"), ("fast", "lose.<locals>.<lambda>")}
    assert callers <= set(query(database, "SELECT function, caller FROM callers"))
    assert "was reached from" in " ".join(with_calls.report().split())
    with opcodetrace.record(racing, database=database) as without:  # the same functions, woven otherwise
        racing.lose()
    assert query(database, "SELECT DISTINCT run_id FROM calls") == [(with_calls.run,)]
    assert (with_calls.lost, without.lost) == (1, 1)
