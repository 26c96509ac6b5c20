"""Runs a small program under the probe in a process of its own, and decodes what it recorded."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator

from opcodetrace.spool.layout import RecordFlag
from opcodetrace.spool.window import Window
from tests.recording import environment
from tests.windows import Event, Trace, read

# The traced program is plain Python that stores to hooks as woven code does.
PRELUDE = """
import sys
from opcodetrace.probe import _probe
from opcodetrace.spool.layout import ENDED_OFFSET
_probe.attach(sys.argv[1])
def hook(action, site=1, name=None):
    return _probe.Hook(site, getattr(_probe, action), name)
def pair(begin, end, name=None, site=1):
    return hook(begin, site, name), hook(end, site)
def ended(thread):
    # does the window say that this thread has ended?
    with open(sys.argv[1], 'rb') as window:
        window.seek(ENDED_OFFSET + thread)
        return window.read(1) != bytes(1)
_probe.start()
"""


def start(path: str, program: str, *, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Starts a program whose window lies at `path`."""
    return subprocess.Popen(
        [sys.executable, *options, "-c", PRELUDE + textwrap.dedent(program), path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def trace(program: str, *, max_records: int | None = None, window_bytes: int = 1 << 24, fails: bool = False) -> Trace:
    """Runs a program to its end. `fails`: it may end as it likes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "window")
        with Window.create(path, max_records=max_records, window_bytes=window_bytes) as window:
            process = start(path, program)
            output, errors = process.communicate()
            assert fails or process.returncode == 0, errors
            return read(window, output, errors, process.returncode)


def trace_twice(program: str, options: tuple[str, ...] = ()) -> list[Trace]:
    """What a program records in one window, and from its call of `second()` on in another. The options are Python's."""
    attach = """
def second():
    _probe.detach()
    _probe.attach(sys.argv[1] + "2")
    _probe.start()
"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "window")
        with Window.create(path, window_bytes=1 << 24) as one, Window.create(f"{path}2", window_bytes=1 << 24) as two:
            process = start(path, attach + textwrap.dedent(program), options=options)
            output, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
            return [read(window, output) for window in (one, two)]


def uncertain(event: Event) -> bool:
    return bool(event.flags & RecordFlag.UNCERTAIN)


def by_thread(events: list[Event]) -> Iterator[list[Event]]:
    for thread in sorted({event.thread for event in events}):
        yield [event for event in events if event.thread == thread]
