"""Checks of what is there but will not do any more, made in one function and acted on in another: tokens that have
expired, entries that are too old. Each thread that finds it so makes a new one."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The first thread checks; while it fetches a token, the second one does all of it.
PROGRAM = """
import threading, time
from contextlib import suppress
class Token:
    def __init__(self, until): self.until = until
    def is_expired(self): return self.until < time.time()
looked, over = [], []  # no thread waits for another one: it only looks
def fetch():
    if threading.current_thread().name == "first":
        looked.append(1)
        while not over: time.sleep(0)
    return Token(time.time() + 60)
class Memory:
    def __init__(self, token): self.token = token
    def get(self): return self.token
    def save(self, token): self.token = token
class Client:
    def __init__(self):
        self.token, self.until, self.is_kept, self.limit = Token(1), 0, True, 7
        self.memory, self.tokens = Memory(Token(1)), {"k": Token(1)}
        self.lock, self.making = threading.Lock(), threading.Lock()
    def is_expired(self, token): return token.until < time.time()
    def cached(self): return self.token
    def save(self, token): self.token = token
    def find(self, key): return self.tokens.get(key)
    def has(self, key): return key in self.tokens
    def add(self, key, token):
        with self.lock: self.tokens[key] = token
    def is_old(self): return not self.token or self.token.until < time.time()
    def is_full(self): return self.token is None or self.limit > 5
    def refresh(self): self.token = fetch()
    @property
    def is_valid(self): return self.token is not None and time.time() < self.token.until
    def get(self):
        GET
    def renew(self): self.token = Token(time.time() + 60)
client = Client()
def first(): client.get()
def second():
    while not looked: time.sleep(0)
    client.SECOND()
    over.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
KEPT = "if token and not self.is_expired(token): return token\n"
FOUND = {  # what a method does, and the location
    "by a method": ("token = self.cached()\n" + KEPT + "self.save(fetch())", "self.token"),
    "of another object": ("token = self.memory.get()\n" + KEPT + "self.memory.save(fetch())", "self.token"),
    "not there, or expired": (
        "token = self.memory.get()\nif not token or self.is_expired(token): self.memory.save(fetch())",
        "self.token",
    ),
    "by its own method": (
        "token = self.cached()\nif token is None or token.is_expired(): self.save(fetch())",
        "self.token",
    ),
    "if it was asked for": (
        "if self.is_kept:\n    token = self.cached()\n    " + KEPT + "self.save(fetch())",
        "self.token",
    ),
    "by a function that tells": ("if self.is_old(): self.refresh()", "self.token"),
    "by a property that tells": ("if not self.is_valid: self.refresh()", "self.token"),
    "one of many": ('token = self.find("k")\n' + KEPT + 'self.add("k", fetch())', "self.tokens['k']"),
}
MISSING = {
    "a flag that is set if it is there": (
        'found = False\ntoken = self.find("z")\nif token is not None: found = True\n'
        'if not found: self.add("z", fetch())',
        "self.tokens['z']",
    ),
    "a flag that is set by more": (
        'token, found = self.find("z"), True\nif token is None:\n    if not self.is_kept: found = False\n'
        '    else: found = self.has("z")\nif not found: self.add("z", fetch())',
        "self.tokens['z']",
    ),
    "under a lock, and by what is called after it": (
        'with self.lock:\n    if "z" in self.tokens: return self.tokens["z"]\nself.add("z", fetch())',
        "self.tokens['z']",
    ),
}
SILENT = {
    "checked again under a lock": (
        "token = self.cached()\n" + KEPT + "new = fetch()\nwith self.lock:\n    token = self.cached()\n"
        "    if token and not self.is_expired(token): return token\n    self.save(new)"
    ),
    "something else was asked": "if self.is_full(): self.refresh()",
    "something else was asked, here": "if self.cached() is None or self.limit > 5: self.save(fetch())",
    "asked in vain": "token = self.cached()\nif token and self.is_expired(token): self.limit = 3\nself.save(fetch())",
    "what may swallow an error": ('with suppress(KeyError):\n    if self.tokens["z"]: return\nself.add("z", fetch())'),
}
OTHERWISE = "by another instruction"


def program(get: str, second: str = "get") -> str:
    return PROGRAM.replace("GET", get.replace("\n", "\n        ")).replace("SECOND", second)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(get) for name, (get, _) in (FOUND | MISSING).items()}
    programs |= {name: program(get) for name, get in SILENT.items()}
    programs[OTHERWISE] = program(FOUND["by a method"][0], "renew")
    return told_of(programs, "stale check", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND)
def test_what_is_made_anew_by_both(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible", "proven", FOUND[name][1])]


@pytest.mark.parametrize("name", MISSING)
def test_what_is_made_by_both(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("happened", "proven", MISSING[name][1])]


@pytest.mark.parametrize("name", [*SILENT, OTHERWISE])
def test_nothing(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


def test_it_is_told(scripts: Scripts) -> None:
    scripts.write("script.py", program(FOUND["of another object"][0]))
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 check of self.token may have been true no longer" in told
