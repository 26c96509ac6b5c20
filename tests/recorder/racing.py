"""A module to record in process: what it loses, it loses every time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

counter = [0]
table = {"key": "none"}
shared = [0]
slot = ["nothing"]
hits = 0


def in_threads(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lose(times: int = 1) -> None:
    """The first thread reads, the second adds, the first writes: one update is lost each time."""
    for _ in range(times):
        has_read, has_added = threading.Event(), threading.Event()
        in_threads(lambda read=has_read, added=has_added: slow(read, added), lambda r=has_read, a=has_added: fast(r, a))  # type: ignore[misc]


def slow(has_read: threading.Event, has_added: threading.Event) -> None:
    value = counter[0]
    has_read.set()
    has_added.wait()
    counter[0] = value + 1


def fast(has_read: threading.Event, has_added: threading.Event) -> None:
    has_read.wait()
    counter[0] += 1
    has_added.set()


def keep_all() -> None:
    """One after the other: nothing is lost."""
    for _ in range(2):
        in_threads(add)


def add() -> None:
    counter[0] += 1


def take_over() -> None:
    """The second thread writes without a look at what the first wrote."""
    for text in ("first", "second"):
        in_threads(functools.partial(fill, text))


def fill(text: str) -> None:
    slot[0] = text


def count_hits() -> None:
    global hits
    hits += 1


def say(text: str) -> None:
    for _ in range(2):
        in_threads(functools.partial(put, text))


def put(text: str) -> None:
    table["key"] = table["key"] + text
    table["key"] = text


def fail() -> None:
    add()
    raise ValueError("on purpose")


class Account:
    class Inner:
        def nested(self) -> None:
            shared[0] += 1

    def method(self) -> None:
        shared[0] += 1

    @staticmethod
    def static() -> None:
        shared[0] += 1

    @classmethod
    def of_class(cls) -> None:
        shared[0] += 1

    @property
    def prop(self) -> int:
        shared[0] += 1
        return 0

    @prop.setter
    def prop(self, value: int) -> None:
        shared[0] += value

    @functools.cached_property
    def cached(self) -> int:
        shared[0] += 1
        return 0


def plain(function: Callable[[], None]) -> Callable[[], None]:
    def without_wraps() -> None:
        function()

    return without_wraps


def kind(function: Callable[[], None]) -> Callable[[], None]:
    @functools.wraps(function)
    def with_wraps() -> None:
        function()

    return with_wraps


@plain
def behind_plain() -> None:
    shared[0] += 1


@kind
def behind_wraps() -> None:
    shared[0] += 1


@functools.lru_cache(maxsize=0)
def behind_cache() -> None:
    shared[0] += 1


def made() -> Callable[[], None]:
    def inner() -> None:
        shared[0] += 1

    return inner


closure = made()
held: dict[str, Any] = {"lambda": [lambda: shared.__setitem__(0, shared[0] + 1)]}
kept: list[Callable[[], None]] = []


def keep_closure() -> None:
    kept.append(made())


def call_all() -> None:
    """Every kind of function, in two threads."""
    account = Account()

    def work() -> None:
        account.method()
        account.static()
        account.of_class()
        account.prop += 1
        _ = Account().cached
        Account.Inner().nested()
        behind_plain()
        behind_wraps()
        behind_cache()
        closure()
        held["lambda"][0]()

    for _ in range(2):
        in_threads(work)
