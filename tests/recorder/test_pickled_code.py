"""Code that the program pickles by value, constant by constant, as cloudpickle does."""

from __future__ import annotations

import json

from tests.recording import Scripts

BY_VALUE = """
import io, pickle, sys, types

class Pickler(pickle.Pickler):
    def reducer_override(self, obj):
        if isinstance(obj, types.CodeType):
            names = "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames"
            names += " filename name qualname firstlineno linetable exceptiontable freevars cellvars"
            return rebuilt, tuple(getattr(obj, "co_" + name) for name in names.split())
        if isinstance(obj, type) and sys.modules.get(obj.__module__) is None:
            raise pickle.PicklingError(f"{obj} is of no module, so it must be of the program's own making")
        return NotImplemented

def rebuilt(*parts):
    return types.CodeType(*parts)

def dumps(code):
    data = io.BytesIO()
    Pickler(data).dump(code)
    return data.getvalue()
"""
PROGRAM = """
import pickle, subprocess, sys, threading, types
from by_value import dumps

counter, table = [0], {"a": 1}

def add(amount):
    counter[0] += amount
    table["a"] = table["a"] + counter[0]
    return str(table)

if __name__ == "__main__":
    data = dumps(add.__code__)
    again = dumps(pickle.loads(data))
    for each in data, again:
        print(types.FunctionType(pickle.loads(each), globals())(2))
    threads = [threading.Thread(target=types.FunctionType(pickle.loads(data), globals()), args=(3,)) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    print(counter, table, flush=True)
    with open("add.pickle", "wb") as file:
        file.write(again)
    if len(sys.argv) > 1:
        subprocess.run([sys.executable, "load.py"], check=True)
"""
LOAD = """
import pickle, threading, types

lock, counter, table = threading.Lock(), [0], {"a": 1}
with open("add.pickle", "rb") as file:
    add = types.FunctionType(pickle.load(file), globals())

def call():
    with lock:
        print(add(4), flush=True)

threads = [threading.Thread(target=call) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter, table, flush=True)
"""


def test_it_can_be_loaded_here_and_in_another_process(scripts: Scripts) -> None:
    for name, source in ("by_value.py", BY_VALUE), ("program.py", PROGRAM), ("load.py", LOAD):
        scripts.write(name, source)
    assert scripts.same("program.py", "loads", here=True) == 0


def test_what_is_loaded_is_recorded_where_it_was_pickled(scripts: Scripts) -> None:
    scripts.write("by_value.py", BY_VALUE)
    scripts.write("program.py", PROGRAM)
    assert scripts.recorded("program.py").returncode == 0
    sql = (
        "SELECT label, writes, threads FROM locations WHERE label LIKE 'counter%' OR label LIKE 'table%' ORDER BY label"
    )
    found = json.loads(scripts.opcodetrace("query", sql, "--format", "json").stdout)
    assert found == [
        {"label": "counter[0]", "writes": 4, "threads": 3},
        {"label": "table['a']", "writes": 4, "threads": 3},
    ]


def test_in_another_recording_it_runs_unrecorded(scripts: Scripts) -> None:
    for name, source in ("by_value.py", BY_VALUE), ("program.py", PROGRAM), ("load.py", LOAD):
        scripts.write(name, source)
    assert scripts.recorded("program.py").returncode == 0
    assert scripts.same("load.py", here=True) == 0
    sql = "SELECT label FROM locations WHERE run_id = 2 AND kind = 'item'"
    assert json.loads(scripts.opcodetrace("query", sql, "--format", "json").stdout) == []
