"""Containers of the standard library that are woven for the program: which, and that nothing else shows of it."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest

import opcodetrace
from tests.recording import Recording, Scripts

STORE = """\
import threading
{named}
class Store(UserDict):
    pass
store = Store(a=1)
def add():
    store["a"] += 1
threads = [threading.Thread(target=add), threading.Thread(target=add)]
for each in threads: each.start()
for each in threads: each.join()
"""
PLACES = "SELECT DISTINCT path, line FROM accesses WHERE location = 'store[''a'']' ORDER BY path, line"


@pytest.mark.parametrize(
    "named", ["from collections import UserDict", "import collections\nUserDict = collections.UserDict"]
)
def test_accesses_are_where_the_program_asks(named: str, record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(STORE.format(named=named))
    recording = record("-q", script)
    lines = STORE.format(named=named).splitlines()
    asked = [lines.index("store = Store(a=1)") + 1, lines.index('    store["a"] += 1') + 1]
    assert recording.query(PLACES) == [(str(script), line) for line in asked]
    assert recording.query("SELECT name FROM modules") == [("__main__",)]
    assert recording.query("SELECT functions FROM runs") == [(3,)]  # add, and the bodies of class and module


def test_excluded(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(STORE.format(named="from collections import UserDict"))
    recording = record("-q", "--exclude", "collections", script)
    assert recording.query(PLACES) == []


SEEN = """\
import collections, functools, traceback, weakref
from collections import UserDict
from collections.abc import MutableMapping
from functools import cached_property
class Own(MutableMapping):
    def __getitem__(self, key): raise KeyError(key)
    def __setitem__(self, key, value): pass
    def __delitem__(self, key): pass
    def __iter__(self): return iter(())
    def __len__(self): return 0
class Lazy:
    @cached_property
    def value(self): return self.gone
def told(function, *given):
    try: print(function(*given))
    except Exception: print(traceback.format_exc().replace(__file__, "script"))
told(Own().pop, "a")
told(Own().popitem)
told(UserDict().__getitem__, "b")
told(lambda: Lazy().value)
told(lambda: weakref.WeakValueDictionary()["c"])
told(lambda: list(weakref.WeakSet()))
for each in (UserDict.get, UserDict.__init__, MutableMapping.pop, functools.reduce, weakref.WeakValueDictionary.get):
    code = getattr(each, "__code__", None)
    print(each.__qualname__, each.__doc__, code and (code.co_filename, code.co_firstlineno, code.co_names))
print(collections.UserDict is UserDict, collections.UserDict.__module__, MutableMapping.__module__)
"""


def test_the_program_sees_nothing_of_it(scripts: Scripts) -> None:
    scripts.write("script.py", SEEN)
    for _ in range(2):  # the second time they come from the cache
        assert scripts.same("script.py") == 0


def test_functions_of_the_program_are_left(scripts: Scripts) -> None:
    """It has put one of its own in the place of the library's before the names of the containers were met."""
    scripts.write("store.py", "from collections import UserDict\nclass Store(UserDict): pass\n")
    scripts.write(
        "script.py",
        """
import importlib
library = getattr(importlib.import_module("collections"), "User" + "Dict")
def get(self, key, default=None): return "own"
library.get = get
import store
print(store.Store().get(1), get is library.get)
""",
    )
    assert scripts.recorded("script.py").stdout == b"own True\n"


def test_in_process_they_get_their_own_code_back(tmp_path: Path) -> None:
    store: UserDict[str, int] = UserDict(a=1)
    own: CodeType = UserDict.__getitem__.__code__

    def add() -> None:
        store["a"] += 1

    with opcodetrace.record(add, database=tmp_path / "trace.db"):
        add()
        assert UserDict.__getitem__.__code__ is not own
    assert UserDict.__getitem__.__code__ is own
