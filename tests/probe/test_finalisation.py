"""Finalisers that run while the interpreter ends, when much of it is gone already."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.recording import record

PROGRAM = """
import codecs, collections, contextvars, os, sys, threading

write = os.write
run = exec

class Session:
    def __init__(self):
        self._name = None
        self.lock = threading.Lock()
        self.again = threading.RLock()
        self.items = [1]
        self.table = {{}}
        self.queue = collections.deque()
        self.context = contextvars.Context()

    @property
    def name(self):
        return self._name

    @name.setter
    def name(self, value):
        self._name = value

    def step(self):
        self.table["steps"] = self.table.get("steps", 0) + 1

    def __call__(self, *arguments):
        return None

    def __del__(self):
        self.name = "closed"
        with self.lock:
            self.items[0] += 1
            self.items.append(2)
        with self.again:
            self.queue.append(3)
        for item in self.items:
            self.table[item] = item
        self.context.run(self.step)
        run("self.table['made'] = 1", {{"self": self}})
        self.thread = "it is not in threading's"
        write(1, f"{{self.name}} {{self.items}} {{self.table}}\\n".encode())

class Local(threading.local):
    pass

local = Local()
session = Session()
{keep}
del session
print("end", flush=True)
"""


@pytest.mark.parametrize(
    "keep",
    [
        "variable = contextvars.ContextVar('session'); variable.set(session)",
        "os.register_at_fork(before=session)",
        "codecs.register(session)",
        "local.session = session",
        "session.cycle = session",
        "sys.session = session",
        "sys.excepthook = session",
    ],
)
def test_hooks_run_in_late_finalisers(tmp_path: Path, keep: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM.format(keep=keep))
    plain = subprocess.run([sys.executable, script], capture_output=True, text=True)
    recorded = record(tmp_path / "trace.db", script)
    assert "closed [2, 2]" in plain.stdout
    assert recorded.stdout == plain.stdout
    assert recorded.exit_code == plain.returncode == 0
    assert "Fatal" not in recorded.stderr
