"""Checks that coroutines make by awaiting others, and act on by awaiting others; and right programs like them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.findings.forms import Told, all_told_of

# Two tasks do the same at a time: each turn of the loop comes to one after the other.
PROGRAM = """
import asyncio, contextlib, functools
class Conn:
    def __init__(self): self.used = []
async def turn(value=None):
    await asyncio.sleep(0)
    return value
def cached(function):
    @functools.wraps(function)
    async def wrapper(self, key):
        value = await self.get(key)
        if value is not None: return value
        value = await function(self, key)
        await self.add(key, value)
        return value
    return wrapper
class Store:
    def __init__(self):
        self.d, self.lock, self.conn, self.state, self.count = {"there": 1}, asyncio.Lock(), None, "new", 0
    async def get(self, key):
        await turn()
        return self.d.get(key)
    async def find(self, key): return self.d[key]
    async def has(self, key):
        await turn()
        return key in self.d
    async def add(self, key, value):
        await turn()
        self.d[key] = value
    async def drop(self, key):
        await turn()
        del self.d[key]
    async def is_open(self): return self.conn is not None
    async def open(self): await self.put(await turn(Conn()))
    async def put(self, conn): self.conn = conn
    async def check_new(self):
        if self.state != "new": raise ValueError(self.state)
    async def number(self): return await turn(self.count)
    async def set_number(self, count):
        await turn()
        self.count = count
    @cached
    async def load(self, key): return await turn(Conn())
async def job(store):
    JOB
async def main():
    store = Store()
    done = await asyncio.gather(job(store), job(store), return_exceptions=True)
    print(*sorted(type(each).__name__ for each in done if each is not None))
asyncio.run(main())
"""
USE = "\nstore.d['k'].used.append(1)"
OF_NEWER = {  # before 3.12 wait_for makes a task
    "waited for with a limit": (
        "if store.conn is None: await asyncio.wait_for(store.open(), 60)\nstore.conn.used.append(1)",
        "stale check",
        "self.conn",
    ),
}
FOUND = {
    "got, and added": (
        "conn = await store.get('k')\nif conn is None:\n    conn = await turn(Conn())\n    await store.add('k', conn)"
        "\nconn.used.append(1)",
        "stale check",
        "self.d['k']",
    ),
    "looked for": ("if not await store.has('k'): await store.add('k', Conn())" + USE, "stale check", "self.d['k']"),
    "looked for, and made here": (
        "if not await store.has('k'): store.d['k'] = await turn(Conn())" + USE,
        "stale check",
        "store.d['k']",
    ),
    "is there": ("if await store.has('k'): return\nawait store.add('k', Conn())" + USE, "stale check", "self.d['k']"),
    "not found": (
        "try: await store.find('k')\nexcept KeyError: await store.add('k', Conn())" + USE,
        "stale check",
        "self.d['k']",
    ),
    "here, and made there": ("if store.conn is None: await store.open()", "stale check", "self.conn"),
    "there, and made there": ("if not await store.is_open(): await store.open()", "stale check", "self.conn"),
    **(OF_NEWER if sys.version_info >= (3, 12) else {}),
    "a decorator": ("(await store.load('k')).used.append(1)", "stale check", "self.d['k']"),
    "refused": ("await store.check_new()\nawait turn()\nstore.state = 'old'", "stale check", "store.state"),
    "taken out": ("if await store.has('there'): await store.drop('there')", "failed access", "self.d['there']"),
    "taken out here": (
        "if await store.has('there'):\n    await turn()\n    del store.d['there']",
        "failed access",
        "store.d['there']",
    ),
}
PERHAPS = {  # whether a Conn is true, its class could say
    "got, or none": (
        "conn = await store.get('k')\nif not conn: await store.add('k', await turn(Conn()))" + USE,
        "stale check",
        "self.d['k']",
    ),
}
SILENT = {
    "under a lock": "async with store.lock:\n    if not await store.has('k'): await store.add('k', Conn())" + USE,
    "a decorator under a lock": "async with store.lock: conn = await store.load('k')\nconn.used.append(1)",
    "again under a lock": (
        "if store.conn is None:\n    async with store.lock:\n        if store.conn is None: await store.open()"
    ),
    "again, and at once": "if not await store.has('k'):\n    if 'k' not in store.d: store.d['k'] = Conn()" + USE,
    "if it is missing": "if not await store.has('k'): store.d.setdefault('k', Conn())" + USE,
    "each its own": (
        "key = asyncio.current_task().get_name()\nif not await store.has(key): await store.add(key, Conn())\n"
        "store.d[key].used.append(1)"
    ),
    "a number, made twice": "if await store.get('k') is None: await store.add('k', 12)",
    "a task for all": (
        "if store.conn is None: store.conn = asyncio.ensure_future(turn(Conn()))\n(await store.conn).used.append(1)"
    ),
    "ready for it": ("if await store.has('there'):\n    with contextlib.suppress(KeyError): await store.drop('there')"),
    "another one": "if not await store.has('k'): await store.add('other', 12)",
    "in another function's turn": (
        "while not await store.is_open():\n    await turn()\n    if store.conn is None: store.conn = Conn()"
    ),
}


def program(job: str) -> str:
    return PROGRAM.replace("JOB", job.replace("\n", "\n    "))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(job) for name, (job, _, _) in (FOUND | PERHAPS).items()}
    programs |= {name: program(job) for name, job in SILENT.items()}
    return all_told_of(programs, tmp_path_factory.mktemp("coroutines"))


@pytest.mark.parametrize("form", FOUND)
def test_another_task_came_in_between(told: dict[str, Told], form: str) -> None:
    _, kind, label = FOUND[form]
    assert {(severity, label) for severity, _, label in told[form].of(kind).findings} == {("happened", label)}


@pytest.mark.parametrize("form", SILENT)
def test_no_finding(told: dict[str, Told], form: str) -> None:
    assert told[form].findings == []


@pytest.mark.parametrize("form", PERHAPS)
def test_another_task_may_have_come_in_between(told: dict[str, Told], form: str) -> None:
    _, kind, label = PERHAPS[form]
    assert {(severity, label) for severity, _, label in told[form].of(kind).findings} == {("possible", label)}


def test_an_update_by_two_coroutines(tmp_path: Path) -> None:
    programs = {"update": program("await store.set_number(await store.number() + 1)")}
    told = all_told_of(programs, tmp_path)["update"].of("lost update")
    assert {(severity, label) for severity, _, label in told.findings} == {("happened", "self.count")}
