"""Own writes that another thread's write replaced before they were read back, in all their forms; and what is none."""

from __future__ import annotations

import pytest

from tests.findings.forms import Told, told_of
from tests.recording import Scripts

# The first thread writes, the second writes, the first reads. The first one meets the second in `meet`, and only there.
PROGRAM = """
import threading, time
class Box: pass
box, cells, table, done, lock, first_is_in, second_is_done = Box(), [0], {}, [], threading.Lock(), [], []
shared = None
me = threading.local()
def meet():  # no thread waits for another one: it only looks
    if me.name == "first" and not first_is_in:
        first_is_in.append(1)
        while not second_is_done: time.sleep(0)
LINES
def first():
    me.name = "first"
    job("a")
def second():
    me.name = "second"
    while not first_is_in: time.sleep(0)
    OTHER
    second_is_done.append(1)
threads = [threading.Thread(target=each, name=each.__name__) for each in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
SAME = 'job("b")'

TIMER = """
class Timer:
    def __enter__(self): self.start = time.perf_counter()
    def __exit__(self, *_): done.append(max(time.perf_counter() - self.start, 0))
    def __call__(self, function):
        def timed(*given):
            with self:
                return function(*given)
        return timed
timer = Timer()
"""
HANDLER = """
class Handler:
    def serve(self, request):
        self.request = request
        self.handle()
    def handle(self):
        meet()
        done.append(self.request)
handler = Handler()
def job(request): handler.serve(request)
"""

CODEC = """
class Codec:
    def __init__(self, name): self.name = [name]
    def encode(self):
        global shared
        shared = self.name
        meet()
        done.append(shared)
codecs = {name: Codec(name) for name in "ab"}
def job(name): codecs[name].encode()
"""
LANGUAGES = """
class Languages:
    def __init__(self): self.chosen = ["all"]
    def choose(self, names): self.chosen = [each for each in "abc" if each in names]
    def tell(self): return list(self.chosen)
languages = Languages()
languages.tell()
def job(name):
    languages.choose(name)
    meet()
    done.append(languages.tell())
"""
ROLLS = """
class Rolls:
    def __init__(self): self.count = 0
    def begin(self): self.count = 0
    def add(self, number): self.count += number
    def roll(self):
        for each in (1, 2): self.add(each)
    def left(self): return 9 - self.count
rolls = Rolls()
def job(name):
    rolls.begin()
    rolls.roll()
    meet()
    for part in [rolls.roll() for each in name]: done.append(rolls.left())
"""
COUNTED = {  # what could be, are unguarded updates
    "what is counted in each call": (ROLLS, SAME, "self.count"),
    "what is counted in one function": (
        "def job(name):\n    box.count = 0\n    for each in name:\n        box.count += 1\n        meet()\n"
        "        box.count += 2",
        'job("b")',
        "box.count",
    ),
}
FOUND = {
    "what an object has, for all in a global": (CODEC, SAME, "global shared"),
    "chosen before it is used, and used before by who made it": (LANGUAGES, SAME, "self.chosen"),
    "a timer that all calls share": (f"{TIMER}\n@timer\ndef job(name): meet()", SAME, "self.start"),
    "a timer in one function": (
        "def job(name):\n    box.start = time.perf_counter()\n    meet()\n"
        "    done.append(time.perf_counter() - box.start)",
        SAME,
        "box.start",
    ),
    "what is entered keeps what it is to put back": (
        "class Place:\n"
        "    now = 0\n"
        "    def __enter__(self): self.before = [self.now]\n"
        "    def __exit__(self, *_): done.append(self.before)\n"
        "place = Place()\n"
        "def job(name):\n    with place: meet()",
        SAME,
        "self.before",
    ),
    "a request": (HANDLER, SAME, "self.request"),
    "a request, by a function that is called": (
        "class Handler:\n"
        "    def serve(self, request):\n        self.begin(request)\n        meet()\n"
        "        return done.append(self.request)\n"
        "    def begin(self, request): self.request = request\n"
        "handler = Handler()\ndef job(request): handler.serve(request)",
        SAME,
        "self.request",
    ),
    "a request that is taken back": (
        "def job(request):\n"
        "    box.request = request\n"
        "    meet()\n"
        "    done.append(box.request)\n"
        "    box.request = None",
        SAME,
        "box.request",
    ),
    "a global, of the object that is being made": (
        "class Page:\n    def __init__(self, name):\n        global shared\n        self.name = name\n"
        "        shared = self\n        use()\n"
        "def use():\n    meet()\n    done.append(shared.name)\n"
        "def job(name): Page(name)",
        SAME,
        "global shared",
    ),
    "a global": (
        "def job(name):\n    global shared\n    shared = name\n    use()\ndef use():\n    meet()\n"
        "    done.append(shared)",
        SAME,
        "global shared",
    ),
    "an item": ('def job(name):\n    cells[0] = name + "!"\n    meet()\n    return cells[0].upper()', SAME, "cells[0]"),
    "a cell": (
        "def make():\n"
        "    cell = None\n"
        "    def job(name):\n        nonlocal cell\n        cell = name\n        meet()\n        done.append(cell)\n"
        "    return job\njob = make()",
        SAME,
        "cell cell",
    ),
    "in a loop": (
        "def job(name):\n    for each in (name,):\n        box.name = each\n        meet()\n"
        "        done.append(box.name)",
        SAME,
        "box.name",
    ),
    "under a lock each": (
        "def job(name):\n    with lock: box.name = name\n    meet()\n    done.append(box.name)",
        SAME,
        "box.name",
    ),
    "by other code": (
        "def job(name):\n    box.name = name\n    meet()\n    done.append(box.name)\n"
        "def another(name):\n    box.name = [name]\n    return list(box.name)",
        'another("b")',
        "box.name",
    ),
    "in a loop over what there is": (
        "def job(name):\n    box.name = name\n    for each in [1]: use()\n"
        "def use():\n    meet()\n    done.append(box.name)",
        SAME,
        "box.name",
    ),
    "in a loop that never waits": (
        "def job(name):\n    box.name = name\n    left = [1]\n    while left:\n        left.pop()\n"
        "        meet()\n        done.append(box.name)",
        SAME,
        "box.name",
    ),
    "by both branches": (
        "def keep(name, more):\n"
        "    if more:\n        try: box.name = name + more\n        except TypeError: raise\n"
        "    else:\n        box.name = name\n"
        "def job(name):\n    keep(name, '!')\n    meet()\n    done.append(box.name)",
        SAME,
        "box.name",
    ),
    "a copy": (
        "import copy\ndef job(name):\n    box.parts = copy.copy([name])\n    meet()\n    done.append(box.parts)",
        SAME,
        "box.parts",
    ),
    "lines of a text": (
        "def job(name):\n    box.lines = name.splitlines()\n    meet()\n    done.append(box.lines)",
        SAME,
        "box.lines",
    ),
    "a container that is filled": (
        "class Parser:\n"
        "    def parse(self, text):\n"
        "        self.parts = []\n        self.add(text)\n        meet()\n        return ''.join(self.parts)\n"
        "    def add(self, part): self.parts.append(part)\n"
        "parser = Parser()\n"
        "def job(name): parser.parse(name)",
        SAME,
        "self.parts",
    ),
    "a mapping that is filled": (
        "def job(name):\n    box.found = {}\n    box.found[name] = 1\n    meet()\n    done.append(box.found)",
        SAME,
        "box.found",
    ),
    "in place of an argument": (
        "def plural(word, count=None):\n    if count is None: count = box.count\n"
        "    return word if count == 1 else word + 's'\n"
        "def job(name):\n    box.count = ord(name) - 96\n    meet()\n    done.append(plural('cat'))",
        SAME,
        "box.count",
    ),
    "by a call that reads": (
        "box = {}\ndef job(name):\n    box['name'] = name\n    meet()\n    done.append(box.get('name'))",
        SAME,
        "box['name']",
    ),
    "by getattr": (
        "def job(name):\n    box.name = name\n    meet()\n    done.append(getattr(box, 'name', None))",
        SAME,
        "box.name",
    ),
    "what was taken out": (
        "jobs = ['b1', 'a1']\ndef job(name):\n    box.job = jobs.pop()\n    meet()\n    done.append(box.job)",
        SAME,
        "box.job",
    ),
}
POSSIBLE = {
    "it came out of a call": (
        "def job(name):\n    box.made = make(name)\n    meet()\n    done.append(box.made)\n"
        "def make(name): return name * 2",
        SAME,
        "box.made",
    ),
}
SILENT = {
    "what is counted over all calls": (ROLLS.replace("    rolls.begin()\n", ""), SAME),
    "what is counted over all calls, and begun anew by one": (ROLLS, "rolls.add(5); rolls.begin(); rolls.add(5)"),
    "what is counted since an earlier call": (
        f"{ROLLS}\ndef once():\n    for each in (rolls.begin, rolls.roll, meet, rolls.roll): each()\n"
        "def job(name): once()",
        SAME,
    ),
    "what is counted, and read by others": (f"{ROLLS}\nthreading.Thread(target=rolls.left).start()", SAME),
    "what an object has, in another of its attributes": (
        CODEC.replace("global shared\n", "pass\n").replace("shared", "self.last"),
        "codecs['a'].encode()",
    ),
    "used before by another thread than that which made it": (
        LANGUAGES.replace("languages.tell()\ndef", "threading.Thread(target=languages.tell).start()\ndef"),
        SAME,
    ),
    "a time stamp that is shown": (
        "def job(name):\n    box.seen = time.perf_counter()\n    meet()\n    print('seen', box.seen)",
        SAME,
    ),
    "a time stamp that is compared": (
        "def job(name):\n    box.seen = time.perf_counter()\n    meet()\n"
        "    if time.perf_counter() - box.seen > 5: done.append(1)",
        SAME,
    ),
    "a time stamp whose age is compared by a caller": (
        "class Beat:\n"
        "    def beat(self): self.seen = time.perf_counter()\n"
        "    def age(self):\n        age = time.perf_counter() - self.seen\n        return age\n"
        "beat = Beat()\n"
        "def job(name):\n    beat.beat()\n    meet()\n    if beat.age() > 5: done.append(1)",
        SAME,
    ),
    "a time stamp that another thread reads": (
        "def job(name):\n    box.seen = time.perf_counter()\n    meet()\n"
        "    done.append(time.perf_counter() - box.seen)\n"
        "def watch():\n    done.append(box.seen)\n    job('w')",
        "watch()",
    ),
    "read before it is written": (
        "box.seen = 0.0\n"
        "def job(name):\n"
        "    for _ in range(2):\n"
        "        done.append(time.perf_counter() - box.seen)\n"
        "        box.seen = time.perf_counter()\n"
        "        meet()",
        SAME,
    ),
    "a flag that another thread takes back": (
        "def job(name):\n    box.running = name\n    meet()\n    done.append(box.running)",
        "box.running = ''",
    ),
    "a constant": (
        "def job(name):\n    box.state = 'open'\n    meet()\n    done.append(box.state)",
        "box.state = 'shut'; done.append(box.state)",
    ),
    "an owner that is checked": (
        "def job(name):\n    box.owner = name\n    meet()\n    done.append(box.owner == name)",
        SAME,
    ),
    "an owner that is checked through a variable": (
        "def job(name):\n    box.owner = name\n    meet()\n    owner = box.owner\n    if owner is name: done.append(1)",
        SAME,
    ),
    "the same value": ("def job(name):\n    box.name = str(len(name))\n    meet()\n    done.append(box.name)", SAME),
    "a value that does as well": (
        "def fetch(): return object()\ndef job(name):\n    box.token = fetch()\n    meet()\n    done.append(box.token)",
        SAME,
    ),
    "a value of its key": (
        "def make(key): return [key]\ndef fill(key):\n    table[key] = make(key)\n    meet()\n    return table[key]\n"
        "def job(name): done.append(fill('key'))",
        SAME,
    ),
    "written only if it must be": (
        "box.token = None\ndef refresh(name):\n    if name in 'ab': box.token = name\n"
        "def job(name):\n    refresh(name)\n    meet()\n    done.append(box.token)",
        SAME,
    ),
    "written unless it need not be": (
        "def refresh(name):\n    if name == 'c': return\n    box.token = name\n"
        "def job(name):\n    refresh(name)\n    meet()\n    done.append(box.token)",
        SAME,
    ),
    "a counter": (
        "box.done = 0\ndef job(name):\n    box.done += len(name)\n    meet()\n    done.append(box.done)",
        SAME,
    ),
    "read in a loop": (
        "def job(name):\n    box.pause = name\n    meet()\n    for _ in range(2): done.append(box.pause)",
        SAME,
    ),
    "polled": (
        "def job(name):\n    box.answer = name\n    meet()\n    while box.answer == name: time.sleep(0)\n"
        "    done.append(box.answer)",
        "box.answer = 'z'; done.append(box.answer)",
    ),
    "an answer in the place of the request": (
        "def job(name):\n    box.cell = name\n    meet()\n    done.append(box.cell)",
        "box.cell = box.cell.upper()",
    ),
    "read under a lock": (
        "def job(name):\n    box.level = name\n    meet()\n    with lock: done.append(box.level)",
        SAME,
    ),
    "moved on under a lock": (
        "def job(name):\n    with lock: box.state = name\n    meet()\n    with lock: done.append(box.state)",
        SAME,
    ),
    "written again": (
        "def job(name):\n    box.name = name\n    meet()\n    box.name = name + '!'\n    done.append(box.name)",
        SAME,
    ),
    "of each thread": ("def job(name):\n    me.value = name\n    meet()\n    done.append(me.value)", SAME),
    "of each object": (
        "def job(name):\n    own = Box()\n    own.value = name\n    meet()\n    done.append(own.value)",
        SAME,
    ),
    "its object's first value": (
        "class Beat:\n    def __init__(self, name): self.name = name\n"
        "beats = []\n"
        "def job(name):\n    beats.append(Beat(name))\n    meet()\n    done.append(beats[0].name)",
        "beats[0].name = 'b'; done.append(beats[0].name)",
    ),
    "a ring: what is read was written in an earlier turn": (
        "ring = [None] * 2\n"
        "def job(name):\n"
        "    for number in range(3):\n"
        "        ring[number % 2] = (name, number)\n"
        "        if number: meet()\n"
        "        done.append(ring[(number + 1) % 2])",
        "ring[0] = 'b'; done.append(ring[0]); ring[1] = 'b'; done.append(ring[1])",
    ),
    "an object for each turn: what is read was written in an earlier one": (
        "class Slot:\n"
        "    def put(self, value): self.value = value\n"
        "    def get(self): return self.value\n"
        "slots = [Slot(), Slot()]\n"
        "def job(name):\n"
        "    for number in range(3):\n"
        "        slots[number % 2].put((name, number))\n"
        "        if number:\n"
        "            meet()\n"
        "            done.append(slots[(number + 1) % 2].get())",
        SAME,
    ),
    "a number that is compared": (
        "def plural(word):\n    count = box.count\n    return word if count == 1 else word + 's'\n"
        "def job(name):\n    box.count = ord(name) - 96\n    meet()\n    done.append(plural('cat'))",
        SAME,
    ),
    "a container of what others put there, too": (
        "def job(name):\n    box.items = []\n    box.items.append(name)\n    meet()\n    done.append(box.items)\n"
        "def look(): done.append(box.items)",
        "look(); job('b')",
    ),
    "a container that is only emptied": (
        "def job(name):\n    box.items = []\n    meet()\n    done.append(box.items)",
        SAME,
    ),
    "by one of two branches": (
        "def keep(name):\n    if name in 'ab': box.name = name\n    elif name == 'z': box.name = 'y'\n"
        "def job(name):\n    keep(name)\n    meet()\n    done.append(box.name)",
        SAME,
    ),
    "in a loop that waits": (
        "def job(name):\n    box.name = name\n    left = [1, 2]\n    while left:\n        left.pop()\n"
        "        time.sleep(0)\n        meet()\n        done.append(box.name)",
        SAME,
    ),
    "a dropped container": (
        "def job(name):\n    box.items = []\n    meet()\n    box.items.append(name)",
        SAME,
    ),
}

WAITED_FOR = {
    "a thread": """
def other():
    box.cell = name = "b" * len(done)
    done.append(box.cell)
def job(name):
    box.cell = name
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    done.append(box.cell)
job("a" * len(threading.enumerate()))
""",
    "an event": """
asked, given = threading.Event(), threading.Event()
def other(name):
    asked.wait()
    box.cell = name
    done.append(box.cell)
    given.set()
def job(name):
    box.cell = name
    asked.set()
    given.wait()
    done.append(box.cell)
thread = threading.Thread(target=other, args="b")
thread.start()
job("a")
thread.join()
""",
    "a barrier: the last one leads": """
barrier = threading.Barrier(2)
def job(name):
    box.leader = name
    barrier.wait()
    done.append(box.leader)
threads = [threading.Thread(target=job, args=name) for name in "ab"]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
}


def program(lines: str, other: str) -> str:
    return PROGRAM.replace("LINES", lines).replace("OTHER", other)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    programs = {name: program(lines, other) for name, (lines, other, _) in {**FOUND, **COUNTED, **POSSIBLE}.items()}
    programs |= {name: program(*each) for name, each in SILENT.items()}
    return told_of(programs, "overwritten before read", tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize("name", FOUND | COUNTED)
def test_an_own_write_that_was_overwritten(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("happened", "proven", (FOUND | COUNTED)[name][2])]


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_may_do_as_well_is_possible(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == [("possible", "proven", POSSIBLE[name][2])]


@pytest.mark.parametrize("name", SILENT)
def test_no_finding(name: str, told: dict[str, Told]) -> None:
    assert told[name].findings == []


@pytest.mark.parametrize("name", WAITED_FOR)
def test_who_waits_for_a_change_knows_of_it(name: str, scripts: Scripts) -> None:
    scripts.write("script.py", f"import threading\nclass Box: pass\nbox, done = Box(), []\n{WAITED_FOR[name]}")
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT kind FROM findings WHERE kind = 'overwritten before read'") == []
    assert scripts.query("SELECT writes FROM locations WHERE label LIKE 'box.%'") == [(2,)]


def test_it_is_told(scripts: Scripts) -> None:
    source = program(HANDLER, SAME)
    scripts.write("script.py", source)
    assert scripts.record("script.py").returncode == 0
    assert scripts.opcodetrace("check").returncode == 1
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert "1 value of self.request was overwritten by another thread before its thread read it back." in told
    line = [line.strip() for line in source.splitlines()].index("self.request = request") + 1
    assert f"first wrote 'a' (line {line}) to self.request, then second wrote 'b' (line {line}), and first read" in told


TASKS = """
import asyncio
class Box: pass
box, done = Box(), []
async def work(name):
    box.name = name
    await asyncio.sleep(0)
    done.append(box.name)
async def main(): await asyncio.gather(work("a"), work("b"))
asyncio.run(main())
"""


def test_tasks(scripts: Scripts) -> None:
    scripts.write("script.py", TASKS)
    assert scripts.record("script.py").returncode == 0
    assert scripts.query("SELECT kind, severity FROM findings") == [("overwritten before read", "happened")]
