"""CPython's own tests, woven and unwoven: the outcome of each test must be the same.

    python tests/fidelity/stdlib_outcomes.py [--modules MODULE...] [--jobs N] [--together] [--described]
                                              [--tests FOLDER]

Each module is tested in two processes: as it is, and with the standard library and the tests themselves woven and
recorded, synchronisation included. If outcomes differ, both are run again, and only what differs each time is a
difference. Exits with 1 if there is one that is not known, or a module whose tests do not end even as they are.
Modules that this Python does not have are named and left out.

What was compared so far with the library's own operations seen too (SYNC_BEGIN, SYNC_END), no outcome differing:
- 3.11.7, 3.12.1, 3.14.7: threading, queue, thread, threadsignals, threading_local, asyncio's tasks, locks, queues,
  taskgroups and base_events, and 23 modules of data types and the language: 4858, 5011 and 5812 tests.
- 3.11.7: test_concurrent_futures, 241 tests (Debian's copy, by --tests: the 3.11.7 and 3.12.1 at hand were installed
  without it; on 3.12 it was not compared).
- 3.13.0: threading, queue, thread, threadsignals, four modules of test_concurrent_futures, asyncio's tasks and queues,
  and nine of containers, iterators and descriptors: 2843 tests; and 22 other modules of asyncio (not test_ssl).
- 3.14.7 without the GIL: eight modules of test_concurrent_futures and test_thread_local_bytecode (which is skipped with
  a GIL), threading, queue, thread, threadsignals, and nine of containers, iterators and descriptors: 2146 tests.

Since accesses that fail have a handler of their own (traps), no outcome differing, in the modules about exceptions,
generators, coroutines, tracing, tracebacks, containers and descriptors:
- 3.11.7: 23 modules, 2999 tests. 3.12.1: 23, 3309 tests. 3.13.0: 25, 3546 tests.
"""

from __future__ import annotations

import argparse
import importlib.util
import marshal
import os
import signal
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import opcodetrace
from opcodetrace.spool.layout import NEXT_OFFSET

# Not test_concurrent_futures.test_interpreter_pool: it gives nested functions to other interpreters, by marshal, which
# refuses woven code.
MODULES = """
test_asyncgen test_bisect test_builtin test_bytes test_class test_collections test_compare test_concurrent_futures
test_context test_contextlib test_contextlib_async test_copy test_coroutines test_csv test_dataclasses test_decorators
test_defaultdict test_deque test_descr test_dict test_dictviews test_enum test_enumerate test_except_star
test_exception_group test_exceptions test_extcall test_fractions test_fstring test_funcattrs test_functools
test_generators test_genericalias test_global test_grammar test_heapq test_inspect test_isinstance test_iter
test_itertools test_json test_keywordonlyarg test_list test_listcomps test_logging test_metaclass
test_named_expressions test_operator test_ordered_dict test_patma test_property test_queue test_raise test_re
test_sched test_scope test_set test_slice test_statistics test_string test_super test_syntax test_sys_setprofile
test_sys_settrace test_textwrap test_thread test_thread_local_bytecode test_threading test_threading_local
test_threadsignals test_traceback test_tuple test_types test_typing test_unpack test_unpack_ex test_userdict
test_userlist test_weakref test_weakset test_with test_yield_from test_asyncio.test_base_events
test_asyncio.test_buffered_proto test_asyncio.test_context test_asyncio.test_eager_task_factory
test_asyncio.test_events test_asyncio.test_free_threading test_asyncio.test_futures test_asyncio.test_futures2
test_asyncio.test_graph test_asyncio.test_locks test_asyncio.test_pep492 test_asyncio.test_protocols
test_asyncio.test_queues test_asyncio.test_runners test_asyncio.test_selector_events test_asyncio.test_sendfile
test_asyncio.test_server test_asyncio.test_sock_lowlevel test_asyncio.test_ssl test_asyncio.test_sslproto
test_asyncio.test_staggered test_asyncio.test_streams test_asyncio.test_subprocess test_asyncio.test_taskgroups
test_asyncio.test_tasks test_asyncio.test_threads test_asyncio.test_timeouts test_asyncio.test_tools
test_asyncio.test_transports test_asyncio.test_unix_events test_asyncio.test_waitfor
test_concurrent_futures.test_as_completed test_concurrent_futures.test_deadlock test_concurrent_futures.test_future
test_concurrent_futures.test_init test_concurrent_futures.test_process_pool test_concurrent_futures.test_shutdown
test_concurrent_futures.test_thread_pool test_concurrent_futures.test_wait
""".split()  # noqa: SIM905
PACKAGES = {module.partition(".")[0] for module in MODULES if "." in module}  # 3.11 has one as a module
TRIES = 3
SECONDS = 600  # after which a module's process is stopped
NOT_RUN, NOT_LOADED = "the process", "unittest.loader._FailedTest"

# Tests that see the weaving, by id, and why they may.
KNOWN: dict[str, str] = {}

Outcomes = dict[str, list[str]]


@dataclass(frozen=True)
class Comparison:
    tests: int
    passed: int  # as they are
    differences: dict[str, tuple[list[str], list[str]]]  # by test: plain, woven
    unwoven: list[str]
    incomparable: list[str]  # why the tests could not be run even as they are
    records: int

    def unknown(self) -> dict[str, tuple[list[str], list[str]]]:
        return {test: both for test, both in self.differences.items() if test not in KNOWN}


class Run(NamedTuple):
    outcomes: Outcomes
    unwoven: list[str] = []  # noqa: RUF012  # code objects
    records: int = 0


def run(way: str, modules: list[str], tests: str | None = None) -> Run:
    """The modules' tests in a process of their own."""
    runner = Path(__file__).with_name("woven_library.py")
    paths = [tests] if tests else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        command = [sys.executable, str(runner), way, name, "test", *(f"test.{module}" for module in modules)]
        search = os.pathsep.join([*paths, str(Path(opcodetrace.__file__).parents[1])])
        child = subprocess.Popen(
            command,
            cwd=name,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": search},
            start_new_session=True,
        )
        try:
            _, errors = child.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # processes that the tests started, too
            child.communicate()
            return Run({NOT_RUN: [f"still running after {SECONDS} s"]})
        folder = Path(name)
        try:
            outcomes: Outcomes = marshal.loads((folder / "outcomes").read_bytes())
            unwoven: list[str] = marshal.loads((folder / "unwoven").read_bytes())
        except (OSError, ValueError, EOFError):
            tail = errors.decode(errors="replace").strip().splitlines()[-1:]
            return Run({NOT_RUN: [f"the process ended with {child.returncode}", *tail]})
        return Run(outcomes, unwoven, 0 if way == "plain" else _records(folder / "window"))


def _records(window: Path) -> int:
    with window.open("rb") as file:
        file.seek(NEXT_OFFSET)
        (records,) = struct.unpack("<Q", file.read(8))
    return int(records)


def compare(*modules: str, way: str = "woven", tests: str | None = None) -> Comparison:
    """The tests of the modules, all in one process, as it is and woven."""
    differences: dict[str, tuple[list[str], list[str]]] = {}
    plain: Outcomes = {}
    count, records, unwoven = 0, 0, set[str]()
    for attempt in range(TRIES):
        plain = run("plain", [*modules], tests).outcomes
        woven, left, recorded = run(way, [*modules], tests)
        count, records = max(count, len(plain)), max(records, recorded)
        unwoven.update(left)
        found = {
            test: (plain.get(test, []), woven.get(test, []))
            for test in plain.keys() | woven.keys()
            if _verdicts(plain.get(test, [])) != _verdicts(woven.get(test, []))
        }
        differences = found if attempt == 0 else {test: both for test, both in found.items() if test in differences}
        if not differences:
            break
    incomparable = [said for test in plain if test.startswith((NOT_RUN, NOT_LOADED)) for said in plain[test]]
    passed = sum(outcomes == ["passed"] for outcomes in plain.values())
    return Comparison(count, passed, differences, sorted(unwoven), incomparable, records)


def _verdicts(outcomes: list[str]) -> list[str]:
    """Without the messages, which may hold addresses."""
    return sorted(outcome.partition(":")[0] for outcome in outcomes)


def is_there(module: str) -> bool:
    """Whether this Python, as it is installed, has these tests. A package's are those of its modules."""
    try:
        spec = importlib.util.find_spec(f"test.{module}")
    except ModuleNotFoundError:
        return False
    return spec is not None and not (spec.submodule_search_locations and module in PACKAGES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", nargs="+", default=MODULES, help="of the package `test`")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--together", action="store_true", help="all modules in one process: the library is woven once")
    parser.add_argument(
        "--described", action="store_true", help="threading, queue and concurrent.futures as by default: not woven"
    )
    parser.add_argument("--tests", metavar="FOLDER", help="where a package `test` lies that is to be used instead")
    arguments = parser.parse_args()
    tests = arguments.tests and str(Path(arguments.tests).resolve())
    if tests:
        sys.path.insert(0, tests)
    modules = [module for module in arguments.modules if is_there(module)]
    for module in sorted({*arguments.modules} - {*modules}):
        print(f"{module}: not in this Python")
    runs = [modules] if arguments.together else [[module] for module in modules]
    one = partial(compare, way="described" if arguments.described else "woven", tests=tests)
    total, unknown = 0, 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for names, comparison in zip(runs, pool.map(lambda names: one(*names), runs), strict=True):
            total += comparison.tests
            unknown += len(comparison.unknown()) + len(comparison.unwoven) + len(comparison.incomparable)
            counts = f"{comparison.tests} tests, {comparison.passed} pass"
            differ = len(comparison.differences)
            print(f"{' '.join(names)}: {counts}, {differ} differ, {comparison.records:,} records", flush=True)
            for test, (plain, woven) in comparison.differences.items():
                print(f"  {test}\n    plain: {plain}\n    woven: {woven}\n    {KNOWN.get(test, 'NOT KNOWN')}")
            for code in comparison.unwoven:
                print(f"  left unwoven: {code}")
            for reason in comparison.incomparable:
                print(f"  not compared: {reason}", flush=True)
    print(f"{sys.version.split()[0]}: {total} tests, {unknown} differences that are not known")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
