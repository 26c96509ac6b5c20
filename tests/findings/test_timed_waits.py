"""Limits of calls in a time: a thread waits for as long as a shared time says, and then sets that anew."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# Both threads look; the first one waits until the second one is through.
PROGRAM = """
import asyncio, collections, threading, time
looked, over = [], []  # no thread waits for another one: it only looks
def sleep(seconds):
    if threading.current_thread().name == "first":
        looked.append(1)
        while not over: time.sleep(0)
class Limiter:
    def __init__(self):
        self.next, self.times, self.lock = time.monotonic() + 60, {"k": time.monotonic() + 60}, threading.Lock()
        self.sent = collections.deque([time.monotonic()] * 3, maxlen=3)
    def wait(self):
        WAIT
    def reset(self): self.next = time.monotonic()
limiter = Limiter()
def first(): limiter.wait()
def second():
    while not looked: time.sleep(0)
    limiter.SECOND()
    over.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
LEFT = "left = self.next - time.monotonic()\n"
FOUND = {  # what a method does, and the location
    "as long as is left": (LEFT + "sleep(left)\nself.next = time.monotonic() + 1", "self.next"),
    "if some is left": (LEFT + "if left > 0: sleep(1)\nself.next = time.monotonic() + 1", "self.next"),
    "without a variable": (
        "if time.monotonic() < self.next: sleep(self.next - time.monotonic())\nself.next = time.monotonic() + 1",
        "self.next",
    ),
    "of one of many": (
        'left = self.times["k"] - time.monotonic()\nsleep(left)\nself.times["k"] = time.monotonic() + 1',
        "self.times['k']",
    ),
    "by how many there are": (
        "if len(self.sent) == 3: sleep(1 - (time.monotonic() - self.sent[0]))\nself.sent.append(time.monotonic())",
        "self.sent",
    ),
    "in a loop of tries": (
        "for each in range(2):\n    left = self.next - time.monotonic()\n    sleep(left)\n"
        "    self.next = time.monotonic() + 1\n    break",
        "self.next",
    ),
}
SILENT = {
    "looked at again": "while time.monotonic() < self.next and not looked: sleep(1)\nself.next = time.monotonic() + 1",
    "looked at again once it has waited": (
        LEFT + "sleep(left)\nif self.next > 0: self.next = time.monotonic() + 1\nelse: self.reset()"
    ),
    "taken before the wait": LEFT + "self.next = time.monotonic() + 1\nsleep(left)",
    "a wait that is always as long": "self.next > 0\nsleep(1)\nself.next = time.monotonic() + 1",
    "a wait that is always as long, by a flag": (
        "if self.next > 0:\n    sleep(1)\n    self.next = time.monotonic() + 1"
    ),
    "an update": LEFT + "sleep(left)\nself.next = self.next + 1",
}
OTHERWISE = "by another instruction"


def program(wait: str, second: str = "wait") -> str:
    return PROGRAM.replace("WAIT", wait.replace("\n", "\n        ")).replace("SECOND", second)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(wait) for name, (wait, _) in FOUND.items()}
    programs |= {name: program(wait) for name, wait in SILENT.items()}
    programs[OTHERWISE] = program(FOUND["as long as is left"][0], "reset")
    return told_of(programs, "stale check", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND)
def test_who_waited_for_the_same_moment(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible", "proven", FOUND[name][1])]


@pytest.mark.parametrize("name", [*SILENT, OTHERWISE])
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_tasks(scripts: Scripts) -> None:
    scripts.write(
        "script.py",
        "import asyncio, time\nclass Limiter:\n    next = 0\n    async def wait(self):\n"
        "        left = self.next - time.monotonic()\n        await asyncio.sleep(max(left, 0.001))\n"
        "        self.next = time.monotonic() + 1\nlimiter = Limiter()\nlimiter.next = 0.5\n"
        "async def main(): await asyncio.gather(limiter.wait(), limiter.wait())\nasyncio.run(main())\n",
    )
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert (
        "1 check of limiter.next may have been true no longer" in told or "1 check of self.next may have been" in told
    )
