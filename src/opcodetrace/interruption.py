"""Signals that end a process, and what must be done whole before they do."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

STOPS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals that arrive meanwhile are handled after it. In a thread that handles none, nothing is held back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        arrived.append(signum)

    with contextlib.ExitStack() as after:
        after.callback(_raise_all, arrived)
        for signum in STOPS:
            handler = signal.getsignal(signum)
            if handler is None or handler is signal.SIG_IGN:
                continue
            after.callback(signal.signal, signum, handler)
            signal.signal(signum, note)
        yield


def heard() -> None:
    """Ctrl-C is KeyboardInterrupt from now on, if it was not so because we were not ready for it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def end_by(signum: int) -> NoReturn:
    """End this process by a signal, as it would without a handler: a shell then knows that it was stopped."""
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signum})
    signal.raise_signal(signum)
    raise AssertionError("the signal did not end the process")


def _raise_all(signums: list[int]) -> None:
    for signum in dict.fromkeys(signums):
        signal.raise_signal(signum)
