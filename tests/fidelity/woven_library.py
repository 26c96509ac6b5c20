"""A process in which the standard library is woven as it is imported, and recorded into a real window.

    python woven_library.py WAY FOLDER test MODULE       run CPython's own tests; outcomes go to FOLDER/outcomes
    python woven_library.py WAY FOLDER import MODULE...

WAY is `plain`, with nothing woven; `woven`, with all of it; or `described`: the modules in which threads wait for
each other are not woven, but say so all the same, as in a recording by default. FOLDER also gets the window and, as
FOLDER/unwoven, what could not be woven.
"""

from __future__ import annotations

import sys

AT_START = dict(sys.modules)

import _signal  # type: ignore[import-not-found]  # noqa: E402  # typeshed leaves it out
import marshal  # noqa: E402
import os  # noqa: E402
from types import CodeType, ModuleType  # noqa: E402
from typing import Any  # noqa: E402

RECORDS = 1 << 20  # of the window, a ring: the recording goes on to the end
_HOOK = """
def get_code(self, fullname):
    code = original(self, fullname)
    return code if code is None else weave(self, fullname, code)
"""
_kept: list[ModuleType] = []  # the modules that the weaver lives on


def make_window(path: str) -> None:
    """As the collector makes it: a ring, which has no end."""
    from opcodetrace.spool import layout

    with open(path, "wb") as file:
        file.write(layout.HEADER.pack(layout.MAGIC, layout.VERSION, layout.RECORD_SIZE, 0, 0, 0, 0))
        file.seek(layout.RING_OFFSET)
        file.write(RECORDS.to_bytes(8, "little"))
        file.seek(layout.END_OFFSET)
        file.write((1 << 62).to_bytes(8, "little"))
        file.truncate(layout.HEADER_SIZE + RECORDS * layout.RECORD_SIZE)


def weave_library(window: str, *, describe: bool = False) -> list[str]:
    """From now on each module of the library is imported anew, except those that Python itself starts with, and woven;
    the tests of CPython are among them. Gives the list to which code objects that must stay unwoven will be added."""
    from importlib import _bootstrap_external
    from importlib.util import find_spec

    from opcodetrace.probe import _probe
    from opcodetrace.rewrite.module_weaver import ModuleWeaver
    from opcodetrace.rewrite.woven_module import NONE
    from opcodetrace.spool.messages import Message, WovenFile, described
    from opcodetrace.trace.library import LIBRARY

    unwoven: list[str] = []

    def send(message: Message) -> None:
        if isinstance(message, WovenFile):
            _, codes = described(message)
            unwoven.extend(f"{code.function}: {code.unwoven}" for code in codes if code.unwoven is not None)

    tests = find_spec("test")
    folders = [os.path.dirname(os.__file__), *((tests and tests.submodule_search_locations) or ())]
    library = tuple(os.path.join(folder, "") for folder in folders)
    weaver = ModuleWeaver(send, _probe)
    loader: Any = _bootstrap_external.SourceLoader

    def weave(self: Any, fullname: str, code: CodeType) -> CodeType:
        filename = self.get_filename(fullname)
        if not filename.startswith(library) or "site-packages" in filename:
            return code
        data = self.get_data(filename)
        if describe and fullname in LIBRARY:
            return weaver.describe_file(code, filename, LIBRARY[fullname])
        return weaver.weave_module(code, filename, fullname, data, operations=LIBRARY.get(fullname, NONE))

    namespace: dict[str, Any] = {"original": loader.get_code, "weave": weave}
    exec(compile(_HOOK, "<frozen importlib._bootstrap_external>", "exec"), namespace)
    loader.get_code = namespace["get_code"]
    make_window(window)
    _probe.attach(window)
    forget_imports()
    _probe.start()
    return unwoven


def forget_imports() -> None:
    for name in sys.modules.keys() - AT_START.keys():
        _kept.append(sys.modules.pop(name))


def run_tests(module: str) -> dict[str, list[str]]:
    """The outcomes of each test of the module, by its id."""
    import unittest

    from test import support  # type: ignore[import-not-found]  # typeshed leaves it out

    support.use_resources = []  # no network, no sound, nothing huge
    support.verbose = 0
    outcomes: dict[str, list[str]] = {}

    def add(test: unittest.TestCase, outcome: str, error: Any = None) -> None:
        said = "" if error is None else f": {error[0].__name__}: {error[1]}"[:500]
        outcomes.setdefault(test.id(), []).append(outcome + said)

    class Result(unittest.TestResult):
        def addSuccess(self, test: unittest.TestCase) -> None:
            add(test, "passed")

        def addError(self, test: unittest.TestCase, err: Any) -> None:
            add(test, "error", err)

        def addFailure(self, test: unittest.TestCase, err: Any) -> None:
            add(test, "failed", err)

        def addSkip(self, test: unittest.TestCase, reason: str) -> None:
            add(test, "skipped")

        def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
            add(test, "failed as expected")

        def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
            add(test, "passed unexpectedly")

        def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
            if err is not None:
                add(test, f"{subtest.id()} failed", err)

    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(module)
    except unittest.SkipTest:
        return {module: ["skipped"]}
    suite.run(Result())
    return outcomes


def main(way: str, folder: str, what: str, *modules: str) -> None:
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)  # which a shell's background jobs inherit as ignored
    unwoven: list[str] = []
    if way == "plain":
        forget_imports()
    else:
        unwoven = weave_library(os.path.join(folder, "window"), describe=way == "described")
    outcomes: dict[str, list[str]] = {}
    for module in modules:
        if what == "test":
            outcomes |= run_tests(module)
        else:
            __import__(module)
    for name, value in (("outcomes", outcomes), ("unwoven", unwoven)):
        with open(os.path.join(folder, name), "wb") as file:
            marshal.dump(value, file)


if __name__ == "__main__":
    del sys.path[0]  # the tests import nothing from here
    main(*sys.argv[1:])
