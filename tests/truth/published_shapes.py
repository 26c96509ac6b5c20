"""Programs by which papers and books tell what is wrong with concurrent programs, and their right twins.

What a program shows is so by construction. If its finding *happened*, `Signal`s drive its threads to it: these are
pipes, and are not recorded. If it is *possible* only, the threads do their parts one after the other (`in_turn`), and
nothing that is recorded makes them. Right programs run freely, or are driven to where they would go wrong, were it not
for what makes them right.
"""

from __future__ import annotations

from typing import NamedTuple

SIGNALS = '''\
"""An event that is not recorded. This module is not woven."""
import os


class Signal:
    """One thread waits for it, once."""

    def __init__(self):
        self.reader, self.writer = os.pipe()

    def give(self):
        os.write(self.writer, b".")

    def wait(self):
        os.read(self.reader, 1)
        os.close(self.reader)
        os.close(self.writer)
'''
PRELUDE = """\
import asyncio, collections, queue, threading, time
from threading import Condition, Event, Lock, RLock, Semaphore, Thread
from signals import Signal
class Box: pass
def run(*works):
    threads = [Thread(target=work) for work in works]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
def in_turn(*works):
    signals = [Signal() for _ in works]
    def at(number):
        def work():
            signals[number].wait()
            works[number]()
            if number + 1 < len(works): signals[number + 1].give()
        return work
    signals[0].give()
    run(*map(at, range(len(works))))
def slowly(work=None):
    time.sleep(0)  # the interpreter may switch here
one, other = Signal(), Signal()
"""


class Wrong(NamedTuple):
    """`found`: kind, severity, label. Of *gil-only* ones, a build without a GIL says *possible*. `short`: what it
    would take to find it; then `found` is empty."""

    reference: str
    text: str
    found: frozenset[tuple[str, str, str]]
    short: str = ""


class Right(NamedTuple):
    reference: str
    text: str
    short: str = ""  # why something is found all the same


def found(*findings: tuple[str, str, str]) -> frozenset[tuple[str, str, str]]:
    return frozenset(findings)


LOST, STALE, FAILED = "lost update", "stale check", "failed access"
OVERWRITTEN, UNREPEATABLE = "overwritten before read", "unrepeatable read"
CHANGED, NOTIFICATION, DEADLOCK = "changed while iterated", "lost notification", "deadlock"
INTERMEDIATE, READ_SKEW, WRITE_SKEW = "intermediate read", "read skew", "write skew"
STOLEN = "stolen wake-up"
UPDATE, CHECK, LOCKING = "unguarded update", "unguarded check", "inconsistent locking"
READ = "unguarded read"
HAPPENED, POSSIBLE, GIL_ONLY = "happened", "possible", "gil-only"

ERASER = "Savage, Burrows, Nelson, Sobalvarro, Anderson: Eraser, TOCS 15(4), 1997"
FASTTRACK = "Flanagan, Freund: FastTrack, PLDI 2009"
AVIO = "Lu, Tucek, Qin, Zhou: AVIO, ASPLOS 2006, the four interleavings that cannot be serialised"
LU = "Lu, Park, Seo, Zhou: Learning from mistakes, ASPLOS 2008"
FARCHI = "Farchi, Nir, Ur: Concurrent bug patterns and how to test them, IPDPS 2003"
JCIP = "Goetz and others: Java Concurrency in Practice, 2006"
HAVELUND = "Havelund: Using runtime analysis to guide model checking of Java programs, SPIN 2000"
BENSALEM = "Bensalem, Havelund: Dynamic deadlock analysis of multi-threaded programs, HVC 2005"
DIJKSTRA = "Dijkstra: Hierarchical ordering of sequential processes, Acta Informatica 1(2), 1971"
MESA = "Lampson, Redell: Experience with processes and monitors in Mesa, CACM 23(2), 1980"
ADYA = "Adya, Liskov, O'Neil: Generalized isolation level definitions, ICDE 2000"
ARTHO = "Artho, Havelund, Biere: High-level data races, STVR 13(4), 2003"
BERENSON = "Berenson and others: A critique of ANSI SQL isolation levels, SIGMOD 1995"
HERLIHY = "Herlihy, Shavit: The Art of Multiprocessor Programming, 2008"
DOWNEY = "Downey: The Little Book of Semaphores, 2008"
MCKENNEY = "McKenney: Is Parallel Programming Hard, And, If So, What Can You Do About It?, 2011"
ATOMIZER = "Flanagan, Freund: Atomizer, POPL 2004"
SCHMIDT = "Schmidt, Harrison: Double-checked locking, PLoPD 3, 1997"
COURTOIS = "Courtois, Heymans, Parnas: Concurrent control with readers and writers, CACM 14(10), 1971"
PETERSON = "Peterson: Myths about the mutual exclusion problem, IPL 12(3), 1981"
TREIBER = "Treiber: Systems programming: coping with parallelism, IBM RJ 5118, 1986"
NODE = "Wang and others: A comprehensive study on real world concurrency bugs in Node.js, ASE 2017"

WRONG: dict[str, Wrong] = {
    "FastTrack: a write and a write": Wrong(
        f"{FASTTRACK}, section 2",
        """
x = Box(); x.n = 0
def count():
    n = x.n
    slowly()
    x.n = n + 1
in_turn(count, count)
""",
        found((UPDATE, POSSIBLE, "x.n")),
    ),
    "FastTrack: written while read-shared": Wrong(
        f"{FASTTRACK}, section 3",
        """
x = Box(); x.n = 1
seen = []
def read(): seen.append(x.n)
def read_and_write():
    n = x.n
    slowly()
    x.n = n + 1
def reset(): x.n = 0
in_turn(read, read_and_write, reset)
""",
        found((UPDATE, POSSIBLE, "x.n")),
    ),
    "Eraser: a race that an order of locks hides": Wrong(
        f"{ERASER}, figure 2",
        """
mu, y, v = Lock(), Box(), Box()
y.n = v.n = 0
def first():
    y.n = y.n + 1
    with mu: v.n = v.n + 1
def second():
    with mu: v.n = v.n + 1
    y.n = y.n + 1
in_turn(first, second)
""",
        found((UPDATE, GIL_ONLY, "y.n")),
    ),
    "Eraser: no lock at all accesses": Wrong(
        f"{ERASER}, figure 3",
        """
mu1, mu2, v = Lock(), Lock(), Box()
v.n = 0
def first():
    with mu1:
        n = v.n
        slowly()
        v.n = n + 1
def second():
    with mu2: v.n = v.n + 1
in_turn(first, second)
""",
        found((UPDATE, POSSIBLE, "v.n")),
    ),
    "Eraser: a write under a lock for readers": Wrong(
        f"{ERASER}, section 2.3",
        """
class Shared:
    def __init__(self): self.monitor, self.readers = Condition(), 0
    def __enter__(self):
        with self.monitor: self.readers += 1
    def __exit__(self, *raised):
        with self.monitor: self.readers -= 1
shared, v = Shared(), Box()
v.n = 0
def work():
    with shared:
        n = v.n
        slowly()
        v.n = n + 1
in_turn(work, work)
""",
        found((UPDATE, POSSIBLE, "v.n")),
    ),
    "AVIO: read, write, read": Wrong(
        f"{AVIO}; MySQL's proc_info in {LU}, figure 1",
        """
thd, shown = Box(), []
thd.info = "query"
def show():
    if thd.info is not None:
        one.give(); other.wait()
        shown.append(thd.info)
def finish():
    one.wait()
    thd.info = None
    other.give()
run(show, finish)
""",
        found((UNREPEATABLE, HAPPENED, "thd.info")),
    ),
    "AVIO: write, write, read": Wrong(
        AVIO,
        """
server, answers = Box(), []
def serve(request, mine, others):
    server.request = request
    mine.give(); others.wait()
    answers.append(server.request)
def second():
    one.wait()
    serve(["b"], other, Done())
class Done:
    def wait(self): pass
run(lambda: serve(["a"], one, other), second)
""",
        found((OVERWRITTEN, HAPPENED, "server.request")),
    ),
    "AVIO: write, read, write": Wrong(
        f"{AVIO}; MySQL's log that is closed and opened again",
        """
log, lines, dropped = Box(), [], []
log.state = "open"
def rotate():
    log.state = "closed"
    one.give(); other.wait()
    log.state = "open"
def write():
    one.wait()
    (lines if log.state == "open" else dropped).append(1)
    other.give()
run(rotate, write)
assert dropped
""",
        found(),
        "a state that another thread looks at is written for that: which one must not be seen, nothing tells",
    ),
    "AVIO: write, read, write, of what is put back": Wrong(
        f"{AVIO}; {ADYA}, G1b: intermediate reads",
        """
class Log:
    prefix = ""
    def line(self, text): return self.prefix + text
log, lines = Log(), []
def indented():
    before = log.prefix
    log.prefix = "    "
    lines.append(log.line("a"))
    one.give(); other.wait()
    log.prefix = before
def plain():
    one.wait()
    lines.append(log.line("b"))
    other.give()
run(indented, plain)
assert lines == ["    a", "    b"]
""",
        found((INTERMEDIATE, HAPPENED, "log.prefix")),
    ),
    "AVIO: read, write, write": Wrong(
        AVIO,
        """
account = Box(); account.balance = 10
def slow():
    balance = account.balance
    one.give(); other.wait()
    account.balance = balance + 5
def quick():
    one.wait()
    account.balance = account.balance + 7
    other.give()
run(slow, quick)
""",
        found((LOST, HAPPENED, "account.balance")),
    ),
    "an order that is taken for granted": Wrong(
        f"{LU}, figure 2: Mozilla's thread that is used before it is stored",
        """
owner, states = Box(), []
owner.thread = None
def create():
    one.give(); other.wait()
    owner.thread = threading.current_thread()
def body():
    one.wait()
    try: states.append(owner.thread.name)
    finally: other.give()
run(create, body)
""",
        found((FAILED, HAPPENED, "owner.thread")),
    ),
    "two variables that belong together": Wrong(
        f"{LU}, figure 3: Mozilla's offset and length",
        """
text, got = Box(), []
text.offset, text.length = 0, 5
content = "hello world!"
def put():
    text.offset = 6
    one.give(); other.wait()
    text.length = 6
def get():
    one.wait()
    got.append(content[text.offset:text.offset + text.length])
    other.give()
run(put, get)
assert got == ["world"]
""",
        found((READ_SKEW, HAPPENED, "text.offset"), (READ, GIL_ONLY, "text.offset")),
    ),
    "a pair that is read half by half": Wrong(
        f"{ARTHO}, section 2; {BERENSON}, A5A: read skew",
        """
class Coordinates:
    def __init__(self): self.lock, self.x, self.y = Lock(), 1, 1
    def get_x(self):
        with self.lock: return self.x
    def get_y(self):
        with self.lock: return self.y
    def move(self, x, y):
        with self.lock:
            self.x = x
            self.y = y
point, areas = Coordinates(), []
def area():
    x = point.get_x()
    one.give(); other.wait()
    areas.append(x * point.get_y())
def move():
    one.wait()
    point.move(10, 10)
    other.give()
run(area, move)
assert areas == [10]
""",
        found((READ_SKEW, HAPPENED, "self.x")),
    ),
    "a sum of two accounts": Wrong(
        f"{BERENSON}, A5A: read skew; {HERLIHY}",
        """
class Bank:
    def __init__(self): self.lock, self.mine, self.yours = Lock(), 50, 50
    def transfer(self, amount):
        with self.lock:
            self.mine -= amount
            self.yours += amount
bank, sums = Bank(), []
def audit():
    with bank.lock: mine = bank.mine
    one.give(); other.wait()
    with bank.lock: yours = bank.yours
    sums.append(mine + yours)
def transfer():
    one.wait()
    bank.transfer(40)
    other.give()
run(audit, transfer)
assert sums == [140]
""",
        found((READ_SKEW, HAPPENED, "self.mine")),
    ),
    "write skew": Wrong(
        f"{BERENSON}, A5B",
        """
ward = Box(); ward.alice = ward.bob = True
def alice_leaves():
    if ward.bob:
        one.give(); other.wait()
        ward.alice = False
def bob_leaves():
    one.wait()
    if ward.alice: ward.bob = False
    other.give()
run(alice_leaves, bob_leaves)
assert not ward.alice and not ward.bob
""",
        found((WRITE_SKEW, HAPPENED, "ward.bob")),
    ),
    "a range whose ends are checked one by one": Wrong(
        f"{JCIP}, listing 4.10",
        """
span = Box(); span.lower, span.upper = 0, 10
def set_lower(value):
    if value <= span.upper:
        one.give(); other.wait()
        span.lower = value
def set_upper(value):
    one.wait()
    if value >= span.lower: span.upper = value
    other.give()
run(lambda: set_lower(5), lambda: set_upper(4))
assert span.lower > span.upper
""",
        found((WRITE_SKEW, HAPPENED, "span.upper")),
    ),
    "double-checked locking that checks once": Wrong(
        f"{SCHMIDT}, section 5",
        """
class Singleton: made, lock = None, Lock()
def first():
    if Singleton.made is None:
        one.give(); other.wait()
        with Singleton.lock:
            Singleton.made = [1]
def second():
    one.wait()
    if Singleton.made is None:
        with Singleton.lock:
            Singleton.made = [2]
    other.give()
run(first, second)
""",
        found((STALE, HAPPENED, "Singleton.made")),
    ),
    "an object that is shared before it is made": Wrong(
        f"{JCIP}, listing 3.14: improper publication",
        """
class Holder: pass
shelf = Box(); shelf.holder = None
def initialise():
    shelf.holder = Holder()
    one.give(); other.wait()
    shelf.holder.value = 42
def use():
    one.wait()
    try:
        if shelf.holder is not None: shelf.holder.value
    finally: other.give()
run(initialise, use)
""",
        found((FAILED, HAPPENED, "shelf.holder.value")),
    ),
    "a lost notification": Wrong(
        f"{FARCHI}, the lost notify",
        """
ready, state = Condition(), Box()
state.done = False
def waits():
    if not state.done:
        one.give(); other.wait()
        with ready: ready.wait(0.01)
def notifies():
    one.wait()
    state.done = True
    with ready: ready.notify()
    other.give()
run(waits, notifies)
""",
        found((NOTIFICATION, HAPPENED, "state.done")),
    ),
    "locks in opposite orders": Wrong(
        f"{HAVELUND}, section 2",
        """
l1, l2 = Lock(), Lock()
def first():
    with l1:
        with l2: pass
def second():
    with l2:
        with l1: pass
in_turn(first, second)
""",
        found((DEADLOCK, POSSIBLE, "")),
    ),
    "a gate that one of three does without": Wrong(
        BENSALEM,
        """
gate, l1, l2 = Lock(), Lock(), Lock()
def first():
    with gate, l1, l2: pass
def second():
    with gate, l2, l1: pass
def third():
    with l2, l1: pass
in_turn(first, second, third)
""",
        found((DEADLOCK, POSSIBLE, "")),
    ),
    "a table with a seat for each": Wrong(
        DOWNEY,
        """
seats, both, l1, l2 = Semaphore(2), threading.Barrier(2), Lock(), Lock()
def first():
    with seats:
        both.wait()
        with l1, l2: pass
    one.give()
def second():
    with seats:
        both.wait()
        one.wait()
        with l2, l1: pass
run(first, second)
""",
        found((DEADLOCK, POSSIBLE, "")),
    ),
    "philosophers who dine": Wrong(
        DIJKSTRA,
        """
forks = [Lock() for _ in range(5)]
def philosopher(place):
    with forks[place]:
        with forks[(place + 1) % 5]: pass
in_turn(*[lambda place=place: philosopher(place) for place in range(5)])
""",
        found((DEADLOCK, POSSIBLE, "")),
    ),
    "locks of two accounts, as they are given": Wrong(
        f"{JCIP}, listing 10.2",
        """
class Account:
    def __init__(self): self.lock, self.balance = Lock(), 100
def transfer(source, target, amount):
    with source.lock:
        with target.lock:
            source.balance -= amount
            target.balance += amount
a, b = Account(), Account()
in_turn(lambda: transfer(a, b, 10), lambda: transfer(b, a, 20))
""",
        found((DEADLOCK, POSSIBLE, "")),
    ),
    "a transfer without a lock": Wrong(
        f"{HERLIHY}; {JCIP}, section 10.1",
        """
accounts = {"a": 100, "b": 100}
def out_of(name, amount):
    balance = accounts[name]
    one.give(); other.wait()
    accounts[name] = balance - amount
def into(name, amount):
    one.wait()
    accounts[name] += amount
    other.give()
run(lambda: out_of("a", 10), lambda: into("a", 20))
""",
        found((LOST, HAPPENED, "accounts['a']")),
    ),
    "a barrier that is forgotten": Wrong(
        f"{DOWNEY}, section 3.5",
        """
cells = {0: 1, 1: 1}
def work(me):
    cells[me] = cells[me] + len(str(me))
    neighbour = cells[1 - me]
    slowly()
    cells[1 - me] = neighbour * 2
in_turn(lambda: work(0), lambda: work(1))
""",
        found((UPDATE, POSSIBLE, "cells[1]"), (UPDATE, POSSIBLE, "cells[0]")),
    ),
    "an RLock for each method": Wrong(
        f"{FARCHI}, wrong lock or no lock",
        """
class Counter:
    def __init__(self): self.n, self.one, self.other = 0, RLock(), RLock()
    def add(self):
        with self.one:
            n = self.n
            slowly()
            self.n = n + 1
    def take(self):
        with self.other: self.n = self.n - 1
counter = Counter()
in_turn(counter.add, counter.take)
""",
        found((UPDATE, POSSIBLE, "self.n")),
    ),
    "two-stage access": Wrong(
        f"{FARCHI}, two-stage access; {ATOMIZER}, section 1",
        """
lock, account = Lock(), Box()
account.balance = 10
def deposit():
    with lock: balance = account.balance
    one.give(); other.wait()
    with lock: account.balance = balance + 1
def withdraw():
    one.wait()
    with lock: account.balance = account.balance - 1
    other.give()
run(deposit, withdraw)
""",
        found((LOST, HAPPENED, "account.balance")),
    ),
    "the last one of a list that shrinks": Wrong(
        f"{JCIP}, listing 5.1; StringBuffer in {ATOMIZER}, section 5",
        """
class Vector:
    def __init__(self, items): self.lock, self.items = Lock(), items
    def size(self):
        with self.lock: return len(self.items)
    def get(self, index):
        with self.lock: return self.items[index]
    def pop(self):
        with self.lock: return self.items.pop()
vector = Vector([1, 2])
def last():
    index = vector.size() - 1
    one.give(); other.wait()
    vector.get(index)
def remove():
    one.wait()
    vector.pop()
    other.give()
run(last, remove)
""",
        found((FAILED, HAPPENED, "self.items")),
    ),
    "a cache: check, then act": Wrong(
        f"{JCIP}, section 2.2.2 and listing 5.18",
        """
cache = {}
def compute(key): return [key]
def get(key):
    if key not in cache:
        one.give(); other.wait()
        cache[key] = compute(key)
    return cache[key]
def get_too(key):
    one.wait()
    if key not in cache: cache[key] = compute(key)
    other.give()
run(lambda: get("k"), lambda: get_too("k"))
""",
        found((STALE, HAPPENED, "cache['k']")),
    ),
    "put if absent, under a lock of its own": Wrong(
        f"{JCIP}, listing 4.14",
        """
class Helper:
    def __init__(self): self.lock, self.items = Lock(), {}
helper, own = Helper(), Lock()
def put_if_absent(key):
    with own:
        if key not in helper.items:
            slowly()
            helper.items[key] = []
        helper.items[key].append(1)
def put(key):
    with helper.lock:
        if key not in helper.items:
            slowly()
            helper.items[key] = []
        helper.items[key].append(2)
in_turn(lambda: put_if_absent("k"), lambda: put_if_absent("j"), lambda: put("k"))
""",
        found((CHECK, POSSIBLE, "helper.items['k']")),
    ),
    "a bounded buffer with an if": Wrong(
        f"{MESA}, section 4; {JCIP}, section 14.2.2",
        """
filled, items = Condition(), []
def consume(before=slowly):
    with filled:
        if not items:
            before()
            filled.wait()
        items.pop()
def first():
    consume(one.give)
    other.give()
def produce():
    one.wait()
    with filled:
        items.append(1)
        items.append(2)
        filled.notify()
def second():  # it could have come before the one who waits gets the lock
    other.wait()
    consume()
run(second, first, produce)  # a thread that is started as the others have ended comes after them
""",
        found((STOLEN, POSSIBLE, "items")),
    ),
    "two bites of a buffer": Wrong(
        MESA,
        """
items = [1]
def consume():
    if items:
        one.give(); other.wait()
        items.pop()
def consume_too():
    one.wait()
    if items: items.pop()
    other.give()
run(consume, consume_too)
""",
        found((FAILED, HAPPENED, "items")),
    ),
    "a stack of nodes without compare and set": Wrong(
        TREIBER,
        """
class Node: pass
stack = Box(); stack.top = None
def push(name, mine, others):
    node = Node(); node.name = name
    node.after = stack.top
    mine.give(); others.wait()
    stack.top = node
class Done:
    def give(self): pass
    def wait(self): pass
def second():
    one.wait()
    push("b", Done(), Done())
    other.give()
run(lambda: push("a", one, other), second)
assert stack.top.name == "a" and stack.top.after is None
""",
        found((LOST, HAPPENED, "stack.top")),
    ),
    "ABA": Wrong(
        f"{TREIBER}; {HERLIHY}, section 10.6",
        """
class Node:
    def __init__(self, name, after): self.name, self.after = name, after
c = Node("c", None)
b = Node("b", c)
a = Node("a", b)
stack, lock = Box(), Lock()
stack.top = a
def compare_and_set(expected, new):
    with lock:
        if stack.top is not expected: return False
        stack.top = new
        return True
def slow():
    top = stack.top
    after = top.after
    one.give(); other.wait()
    assert compare_and_set(top, after)
def quick():
    one.wait()
    compare_and_set(a, b)
    compare_and_set(b, c)
    a.after = c
    compare_and_set(c, a)
    other.give()
run(slow, quick)
assert stack.top is b  # which had been taken out
""",
        found((LOST, HAPPENED, "stack.top")),
    ),
    "a statistics counter": Wrong(
        f"{MCKENNEY}, section 5.1",
        """
stats = Box(); stats.hits = 0
def hit(): stats.hits += 1
in_turn(hit, hit)
""",
        found((UPDATE, GIL_ONLY, "stats.hits")),
    ),
    "a deque that two take from": Wrong(
        "Arora, Blumofe, Plaxton: Thread scheduling for multiprogrammed multiprocessors, SPAA 1998",
        """
tasks = collections.deque([1])
def owner():
    if tasks:
        one.give(); other.wait()
        tasks.pop()
def thief():
    one.wait()
    if tasks: tasks.popleft()
    other.give()
run(owner, thief)
""",
        found((FAILED, HAPPENED, "tasks")),
    ),
    "closed twice": Wrong(
        f"{LU}, section 4: the commonest pattern of atomicity; double close",
        """
class File:
    closed, closes = False, 0
file = File()
def close():
    if not file.closed:
        one.give(); other.wait()
        file.closed = True
def close_too():
    one.wait()
    if not file.closed: file.closed = True
    other.give()
run(close, close_too)
""",
        found((STALE, HAPPENED, "file.closed")),
    ),
    "a dict that changes while it is iterated over": Wrong(
        f"{JCIP}, section 5.1.2",
        """
table = {1: 1, 2: 2}
def go_over():
    for key in table:
        if key == 1:
            one.give(); other.wait()
def add():
    one.wait()
    table[3] = 3
    other.give()
run(go_over, add)
""",
        found((CHANGED, HAPPENED, "table")),
    ),
    "an unsafe sequence": Wrong(
        f"{JCIP}, listing 1.1",
        """
class UnsafeSequence:
    value = 0
    def next(self):
        value = self.value
        slowly()
        self.value = value + 1
        return value
sequence = UnsafeSequence()
in_turn(sequence.next, sequence.next, sequence.next)
""",
        found((UPDATE, POSSIBLE, "self.value")),
    ),
    "a lock that one method forgets": Wrong(
        f"{ERASER}, section 1; {FARCHI}, wrong lock or no lock",
        """
class Counter:
    def __init__(self): self.lock, self.n = Lock(), 0
    def add(self):
        with self.lock:
            n = self.n
            slowly()
            self.n = n + 1
    def reset(self): self.n = 0
counter = Counter()
in_turn(counter.add, counter.add, counter.reset, counter.add)
""",
        found((UPDATE, POSSIBLE, "self.n")),
    ),
    "tasks: an update across an await": Wrong(
        f"{NODE}, atomicity violations",
        """
box = Box(); box.n = 0
async def add():
    n = box.n
    await asyncio.sleep(0)
    box.n = n + 1
async def main(): await asyncio.gather(add(), add())
asyncio.run(main())
assert box.n == 1
""",
        found((LOST, HAPPENED, "box.n")),
    ),
    "tasks: a cache filled twice": Wrong(
        f"{NODE}, atomicity violations",
        """
cache = {}
async def get(key):
    if key not in cache:
        await asyncio.sleep(0)
        cache[key] = [key]
    return cache[key]
async def main(): await asyncio.gather(get("k"), get("k"))
asyncio.run(main())
""",
        found((STALE, HAPPENED, "cache['k']")),
    ),
    "tasks: closed while in use": Wrong(
        f"{AVIO}, read, write, read; {NODE}",
        """
pool, used = Box(), []
pool.connection = [1]
async def use():
    if pool.connection is not None:
        await asyncio.sleep(0)
        used.append(pool.connection)
async def close(): pool.connection = None
async def main(): await asyncio.gather(use(), close())
asyncio.run(main())
""",
        found((UNREPEATABLE, HAPPENED, "pool.connection")),
    ),
    "tasks: a request kept in what all share": Wrong(
        f"{AVIO}, write, write, read; {NODE}",
        """
app, answers = Box(), []
async def handle(request):
    app.request = request
    await asyncio.sleep(0)
    answers.append(app.request)
async def main(): await asyncio.gather(handle(["a"]), handle(["b"]))
asyncio.run(main())
""",
        found((OVERWRITTEN, HAPPENED, "app.request")),
    ),
    "tasks: a dict that changes while it is iterated over": Wrong(
        f"{NODE}, order violations",
        """
clients = {1: 1, 2: 2}
async def send_all():
    for client in clients: await asyncio.sleep(0)
async def leave(): del clients[2]
async def main(): await asyncio.gather(send_all(), leave(), return_exceptions=True)
asyncio.run(main())
""",
        found((CHANGED, HAPPENED, "clients")),
    ),
    "tasks: one job, taken twice": Wrong(
        f"{NODE}, atomicity violations",
        """
jobs = ["only"]
async def take():
    if jobs:
        await asyncio.sleep(0)
        jobs.pop()
async def main(): await asyncio.gather(take(), take(), return_exceptions=True)
asyncio.run(main())
""",
        found((FAILED, HAPPENED, "jobs")),
    ),
}

_LAZY = {  # by the form of the check: the lines, and the location
    "is None": ("if lazy.value is None:", "lazy.value", "lazy.value = [1]"),
    "hasattr": ('if not hasattr(lazy, "new"):', "lazy.new", "lazy.new = [1]"),
    "AttributeError": ("try: lazy.new\n    except AttributeError:", "lazy.new", "lazy.new = [1]"),
    "not in": ('if "k" not in table:', "table['k']", "table['k'] = [1]"),
    "get": ('if table.get("k") is None:', "table['k']", "table['k'] = [1]"),
    "KeyError": ('try: table["k"]\n    except KeyError:', "table['k']", "table['k'] = [1]"),
    "a flag": ("if not lazy.flag:", "lazy.flag", "lazy.flag = True"),
}
_LAZY_HEAD = "lazy, table, lock = Box(), {}, Lock()\nlazy.value, lazy.flag = None, False\n"
for _form, (_check, _label, _act) in _LAZY.items():
    WRONG[f"lazy initialisation by {_form}"] = Wrong(
        f"{JCIP}, listing 2.3",
        f"""
{_LAZY_HEAD}
def first():
    {_check}
        one.give(); other.wait()
        {_act}
def second():
    one.wait()
    {_check}
        {_act}
    other.give()
run(first, second)
""",
        found((STALE, HAPPENED, _label)),
    )

RIGHT: dict[str, Right] = {
    "a prefix that is put back, under a lock": Right(
        f"{AVIO}; {ADYA}, G1b",
        """
class Log:
    prefix, lock = "", RLock()
    def line(self, text):
        with self.lock: return self.prefix + text
log, lines = Log(), []
def indented():
    for _ in range(10):
        with log.lock:
            before = log.prefix
            log.prefix = "    "
            slowly()
            lines.append(log.line("a"))
            log.prefix = before
def plain():
    for _ in range(10): lines.append(log.line("b"))
run(indented, plain)
assert set(lines) == {"    a", "b"}
""",
    ),
    "a state that is looked at": Right(
        f"{AVIO}, write, read, write",
        """
log, lines, kept = Box(), [], []
log.state = "open"
def rotate():
    log.state = "closed"
    one.give(); other.wait()
    log.state = "open"
def write():
    one.wait()
    (lines if log.state == "open" else kept).append(1)
    other.give()
run(rotate, write)
assert kept
""",
    ),
    "offset and length in one tuple": Right(
        f"{LU}, figure 3",
        """
text, got = Box(), []
text.span = 0, 5
content = "hello world!"
def put():
    one.give(); other.wait()
    text.span = 6, 5
def get():
    one.wait()
    offset, length = text.span
    got.append(content[offset:offset + length])
    other.give()
run(put, get)
assert got == ["hello"]
""",
    ),
    "a pair that is read as a whole": Right(
        f"{ARTHO}, section 2",
        """
class Coordinates:
    def __init__(self): self.lock, self.x, self.y = Lock(), 1, 1
    def get(self):
        with self.lock: return self.x, self.y
    def move(self, x, y):
        with self.lock:
            self.x = x
            slowly()
            self.y = y
point, areas = Coordinates(), []
def area():
    for _ in range(20):
        x, y = point.get()
        areas.append(x * y)
def move():
    for number in range(20): point.move(number, number)
run(area, move, area)
assert all(int(area ** 0.5) ** 2 == area for area in areas)
""",
    ),
    "a pair of which each half does by itself": Right(
        f"{ARTHO}, section 4: views that are consistent",
        """
class Coordinates:
    def __init__(self): self.lock, self.x, self.y = Lock(), 1, 1
    def get_x(self):
        with self.lock: return self.x
    def get_y(self):
        with self.lock: return self.y
    def move(self, x, y):
        with self.lock:
            self.x = x
            self.y = y
point, widths, heights = Coordinates(), [], []
def look():
    widths.append(point.get_x() * 2)
    one.give(); other.wait()
    heights.append(point.get_y() * 2)
def move():
    one.wait()
    point.move(10, 10)
    other.give()
run(look, move)
""",
    ),
    "a sum under one lock": Right(
        f"{BERENSON}, A5A; {HERLIHY}",
        """
class Bank:
    def __init__(self): self.lock, self.mine, self.yours = Lock(), 50, 50
    def transfer(self, amount):
        with self.lock:
            self.mine -= amount
            slowly()
            self.yours += amount
bank, sums = Bank(), []
def audit():
    for _ in range(20):
        with bank.lock:
            mine = bank.mine
            slowly()
            yours = bank.yours
        sums.append(mine + yours)
def transfer():
    for amount in range(20): bank.transfer(amount - 10)
run(audit, transfer)
assert set(sums) == {100}
""",
    ),
    "two who may not both leave": Right(
        f"{BERENSON}, A5B",
        """
ward, lock = Box(), Lock()
ward.alice = ward.bob = True
def alice_leaves():
    with lock:
        if ward.bob:
            slowly()
            ward.alice = False
def bob_leaves():
    with lock:
        if ward.alice:
            slowly()
            ward.bob = False
run(alice_leaves, bob_leaves)
assert ward.alice or ward.bob
""",
    ),
    "a range whose ends are checked under a lock": Right(
        f"{JCIP}, listing 4.10",
        """
span, lock = Box(), Lock()
span.lower, span.upper = 0, 10
def set_lower(value):
    with lock:
        if value <= span.upper:
            slowly()
            span.lower = value
def set_upper(value):
    with lock:
        if value >= span.lower:
            slowly()
            span.upper = value
run(lambda: set_lower(5), lambda: set_upper(4))
assert span.lower <= span.upper
""",
    ),
    "the last one of a list, by one method": Right(
        f"{JCIP}, listing 5.2",
        """
class Vector:
    def __init__(self, items): self.lock, self.items = RLock(), items
    def size(self):
        with self.lock: return len(self.items)
    def get(self, index):
        with self.lock: return self.items[index]
    def last(self):
        with self.lock: return self.get(self.size() - 1) if self.items else None
    def pop(self):
        with self.lock: return self.items.pop()
vector, seen = Vector(list(range(20))), []
def last():
    for _ in range(20): seen.append(vector.last())
def remove():
    for _ in range(20): vector.pop()
run(last, remove)
""",
    ),
    "FastTrack: handed on by a lock": Right(
        f"{FASTTRACK}, section 2",
        """
x, m = Box(), Lock()
x.n = 0
def count():
    with m:
        n = x.n
        slowly()
        x.n = n + 1
in_turn(count, count)
""",
    ),
    "FastTrack: fork and join": Right(
        f"{FASTTRACK}, section 3",
        """
x = Box(); x.n = 0
def count():
    n = x.n
    slowly()
    x.n = n + 1
count()
run(count)
count()
run(count)
count()
assert x.n == 5
""",
    ),
    "FastTrack: read-shared, then written": Right(
        f"{FASTTRACK}, section 3",
        """
x, seen = Box(), []
x.n = 1
def read(): seen.append(x.n)
run(read, read, read)
x.n = x.n + len(seen)
run(read, read)
""",
    ),
    "FastTrack: a write and a read": Right(
        f"{FASTTRACK}, section 2.3: a race of two accesses, each of which is one step in Python",
        """
x, seen = Box(), []
x.n = 0
def write(): x.n = 5
def read(): seen.append(x.n)
in_turn(write, read)
""",
    ),
    "FastTrack: a barrier": Right(
        f"{FASTTRACK}, section 4",
        """
cells, barrier = {0: 1, 1: 1, 2: 1}, threading.Barrier(3)
def work(me):
    cells[me] = cells[me] + len(str(me))
    barrier.wait()
    cells[(me + 1) % 3] = cells[(me + 1) % 3] * 2
run(*[lambda me=me: work(me) for me in range(3)])
assert set(cells.values()) == {4}
""",
    ),
    "Eraser: one lock": Right(
        f"{ERASER}, section 2",
        """
mu, v = Lock(), Box()
v.n = 0
def work():
    for _ in range(20):
        mu.acquire()
        try:
            n = v.n
            slowly()
            v.n = n + 1
        finally: mu.release()
run(work, work, work)
assert v.n == 60
""",
    ),
    "Eraser: initialised without a lock": Right(
        f"{ERASER}, section 2.2",
        """
mu, v = Lock(), Box()
def work():
    with mu: v.n += 1
def initialise():
    v.n = 0
    v.n = v.n + 1
    run(work, work)
initialise()
assert v.n == 3
""",
    ),
    "Eraser: read-shared": Right(
        f"{ERASER}, section 2.2",
        """
settings, seen = {}, []
for name in ("a", "b"):
    settings[name] = settings.get(name, 0) + 1
def work():
    if "a" in settings: seen.append(settings["a"] + settings["b"])
run(work, work, work)
""",
    ),
    "Eraser: locks for readers and writers": Right(
        f"{ERASER}, section 2.3; {COURTOIS}, problem 1",
        """
class ReadersAndWriters:
    def __init__(self): self.mutex, self.room, self.readers = Lock(), Semaphore(1), 0
    def read(self, work):
        with self.mutex:
            self.readers += 1
            if self.readers == 1: self.room.acquire()
        found = work()
        with self.mutex:
            self.readers -= 1
            if self.readers == 0: self.room.release()
        return found
    def write(self, work):
        with self.room: work()
lock, v, seen = ReadersAndWriters(), Box(), []
v.n, v.text = 0, "0"
def change():
    n = v.n
    slowly()
    v.n = n + 1
    v.text = str(v.n)
def look(): return v.n, v.text
def reader():
    for _ in range(20):
        n, text = lock.read(look)
        assert str(n) == text
def writer():
    for _ in range(20): lock.write(change)
run(reader, writer, reader, writer)
assert v.n == 40
""",
    ),
    "a lock for readers and writers, as a monitor": Right(
        f"{HERLIHY}, section 8.3",
        """
class ReadWriteLock:
    def __init__(self): self.monitor, self.readers, self.writes = Condition(), 0, False
    def read(self, work):
        with self.monitor:
            while self.writes: self.monitor.wait()
            self.readers += 1
        try: return work()
        finally:
            with self.monitor:
                self.readers -= 1
                if not self.readers: self.monitor.notify_all()
    def write(self, work):
        with self.monitor:
            while self.writes or self.readers: self.monitor.wait()
            self.writes = True
        try: work()
        finally:
            with self.monitor:
                self.writes = False
                self.monitor.notify_all()
lock, table = ReadWriteLock(), {"n": 0}
def change():
    n = table["n"]
    slowly()
    table["n"] = n + 1
def get(): return table["n"]
def reader():
    for _ in range(20): lock.read(get)
def writer():
    for _ in range(20): lock.write(change)
run(reader, writer, reader, writer)
assert table["n"] == 40
""",
    ),
    "AVIO: read, read, under a lock": Right(
        AVIO,
        """
thd, shown, lock = Box(), [], Lock()
thd.info = "query"
def show():
    for _ in range(20):
        with lock:
            if thd.info is not None:
                slowly()
                shown.append(thd.info)
def finish():
    for number in range(20):
        with lock: thd.info = None
        with lock: thd.info = str(number)
run(show, finish)
""",
    ),
    "AVIO: write, read, under a lock": Right(
        AVIO,
        """
server, answers, lock = Box(), [], Lock()
def serve(request):
    for _ in range(20):
        with lock:
            server.request = request
            slowly()
            answers.append(server.request)
run(lambda: serve(["a"]), lambda: serve(["b"]))
""",
    ),
    "AVIO: write, write, under a lock": Right(
        AVIO,
        """
log, lines, dropped, lock = Box(), [], [], Lock()
log.state = "open"
def rotate():
    for _ in range(20):
        with lock:
            log.state = "closed"
            slowly()
            log.state = "open"
def write():
    for _ in range(20):
        with lock: (lines if log.state == "open" else dropped).append(1)
run(rotate, write)
assert not dropped
""",
    ),
    "a thread that is stored before it runs": Right(
        f"{LU}, figure 2",
        """
owner, states, stored = Box(), [], Event()
owner.thread = None
def create():
    owner.thread = threading.current_thread()
    stored.set()
def body():
    stored.wait()
    states.append(owner.thread.name)
run(create, body)
""",
    ),
    "two variables under one lock": Right(
        f"{LU}, figure 3",
        """
text, got, lock = Box(), [], Lock()
text.offset, text.length = 0, 5
content = "hello world!"
def put():
    for _ in range(20):
        with lock:
            text.offset, text.length = 6, 6
        with lock:
            text.offset, text.length = 0, 5
def get():
    for _ in range(20):
        with lock: got.append(content[text.offset:text.offset + text.length])
run(put, get)
assert set(got) <= {"hello", "world!"}
""",
    ),
    "two variables in one tuple": Right(
        f"{JCIP}, listing 3.12: immutable holder",
        """
cache = Box(); cache.last = (0, 0)
def factor(number):
    known, square = cache.last
    if known != number:
        square = number * number
        cache.last = (number, square)
    return square
def work():
    for number in (1, 2, 1, 3, 3): assert factor(number) == number * number
run(work, work, work)
""",
    ),
    "double-checked locking": Right(
        f"{SCHMIDT}, section 5",
        """
class Singleton: made, lock = None, Lock()
def get():
    if Singleton.made is None:
        one_more.wait()
        with Singleton.lock:
            if Singleton.made is None:
                Singleton.made = [0]
    with Singleton.lock: Singleton.made.append(1)
one_more = threading.Barrier(2)
run(get, get)
assert len(Singleton.made) == 3
""",
    ),
    "an object that is made before it is shared": Right(
        f"{JCIP}, section 3.5.3",
        """
class Holder: pass
shelf = Box(); shelf.holder = None
def initialise():
    holder = Holder()
    holder.value = 42
    shelf.holder = holder
def use():
    while (holder := shelf.holder) is None: slowly()
    assert holder.value == 42
run(use, initialise, use)
""",
    ),
    "a notification that is not lost": Right(
        f"{FARCHI}; {JCIP}, section 14.2.3",
        """
ready, state = Condition(), Box()
state.done = False
def waits():
    with ready:
        while not state.done: ready.wait()
def notifies():
    with ready:
        state.done = True
        ready.notify_all()
run(waits, notifies, waits)
""",
    ),
    "locks behind a gate": Right(
        f"{HAVELUND}, section 2: gate locks",
        """
gate, l1, l2 = Lock(), Lock(), Lock()
def first():
    with gate, l1:
        with l2: pass
def second():
    with gate, l2:
        with l1: pass
run(first, second)
""",
    ),
    "opposite orders before the start and after the join": Right(
        f"{BENSALEM}: segmentation",
        """
l1, l2 = Lock(), Lock()
def first():
    with l1, l2: pass
with l2, l1: pass
run(first)
with l2, l1: pass
""",
    ),
    "opposite orders before and after a barrier": Right(
        "Agarwal, Wang, Stoller: Detecting potential deadlocks with static analysis and run-time monitoring, HVC 2005",
        """
l1, l2, barrier, ready = Lock(), Lock(), threading.Barrier(2), Event()
def first():
    for _ in range(3):
        with l1, l2: pass
    barrier.wait()
    with l2, l1: pass
    ready.set()
def second():
    with l1, l2: pass
    barrier.wait()
    for _ in range(3):
        with l2, l1: pass
    ready.wait()
    with l1, l2: pass
run(first, second)
""",
    ),
    "opposite orders by one thread": Right(
        f"{BENSALEM}: cycles of one thread",
        """
l1, l2 = Lock(), Lock()
def first():
    with l1, l2: pass
    with l2, l1: pass
def second():
    with l1: pass
    with l2: pass
run(first, second)
""",
    ),
    "philosophers who take the lower fork first": Right(
        DIJKSTRA,
        """
forks, eaten = [Lock() for _ in range(5)], [0] * 5
def philosopher(place):
    low, high = sorted((place, (place + 1) % 5))
    for _ in range(10):
        with forks[low], forks[high]:
            eaten[place] += 1
run(*[lambda place=place: philosopher(place) for place in range(5)])
assert eaten == [10] * 5
""",
    ),
    "philosophers of whom one is left-handed": Right(
        f"{DOWNEY}, section 4.4.3",
        """
forks = [Lock() for _ in range(5)]
def philosopher(place):
    mine, others = (place, (place + 1) % 5) if place else (1, 0)
    for _ in range(10):
        with forks[mine], forks[others]: pass
run(*[lambda place=place: philosopher(place) for place in range(5)])
""",
    ),
    "philosophers of whom four may sit": Right(
        f"{DOWNEY}, section 4.4.2",
        """
forks, seats = [Lock() for _ in range(5)], Semaphore(4)
def philosopher(place):
    for _ in range(10):
        with seats:
            with forks[place]:
                with forks[(place + 1) % 5]: pass
run(*[lambda place=place: philosopher(place) for place in range(5)])
""",
    ),
    "philosophers, one at a time by a semaphore": Right(
        DOWNEY,
        """
forks, seat = [Lock() for _ in range(3)], Semaphore(1)
def philosopher(place):
    for _ in range(10):
        with seat:
            with forks[place]:
                with forks[(place + 1) % 3]: pass
run(*[lambda place=place: philosopher(place) for place in range(3)])
""",
    ),
    "philosophers who try, and put down": Right(
        f"{JCIP}, section 13.1.1: tryLock",
        """
forks = [Lock() for _ in range(5)]
def philosopher(place):
    for _ in range(5):
        while True:
            with forks[place]:
                if forks[(place + 1) % 5].acquire(blocking=False):
                    forks[(place + 1) % 5].release()
                    break
            slowly()
run(*[lambda place=place: philosopher(place) for place in range(5)])
""",
    ),
    "Dijkstra's philosophers, by their states": Right(
        f"{DIJKSTRA}; {DOWNEY}, section 4.4.5",
        """
state, mutex, may_eat = ["thinking"] * 5, Lock(), [Semaphore(0) for _ in range(5)]
eaten = [0] * 5
def test(place):
    if state[place] == "hungry" and "eating" not in (state[place - 1], state[(place + 1) % 5]):
        state[place] = "eating"
        may_eat[place].release()
def philosopher(place):
    for _ in range(5):
        with mutex:
            state[place] = "hungry"
            test(place)
        may_eat[place].acquire()
        eaten[place] += 1
        with mutex:
            state[place] = "thinking"
            test((place + 1) % 5)
            test((place - 1) % 5)
run(*[lambda place=place: philosopher(place) for place in range(5)])
assert eaten == [5] * 5
""",
    ),
    "locks of two accounts, in order": Right(
        f"{JCIP}, listing 10.3",
        """
class Account:
    def __init__(self, number): self.number, self.lock, self.balance = number, Lock(), 100
def transfer(source, target, amount):
    first, second = sorted((source, target), key=lambda account: account.number)
    with first.lock, second.lock:
        source.balance -= amount
        target.balance += amount
a, b = Account(1), Account(2)
def to_b():
    for _ in range(20): transfer(a, b, 10)
def to_a():
    for _ in range(20): transfer(b, a, 10)
run(to_a, to_b)
assert (a.balance, b.balance) == (100, 100)
""",
    ),
    "one RLock": Right(
        f"{JCIP}, section 2.3.2: reentrancy",
        """
class Widget:
    def __init__(self): self.lock, self.n = RLock(), 0
    def do(self):
        with self.lock:
            n = self.n
            slowly()
            self.n = n + 1
class LoggingWidget(Widget):
    def do(self):
        with self.lock:
            super().do()
            self.n = self.n - 1
            super().do()
widget = LoggingWidget()
def work():
    for _ in range(10): widget.do()
run(work, work)
assert widget.n == 20
""",
    ),
    "a cache under a lock": Right(
        f"{JCIP}, listing 5.16: Memoizer1",
        """
cache, lock = {}, Lock()
def get(key):
    with lock:
        if key not in cache:
            slowly()
            cache[key] = []
        cache[key].append(1)
        return cache[key]
def work():
    for number in range(20): get(number % 3)
run(work, work)
assert sum(map(len, cache.values())) == 40
""",
    ),
    "a cache of futures": Right(
        f"{JCIP}, listing 5.19: Memoizer",
        """
from concurrent.futures import Future
cache, calls, lock = {}, Box(), Lock()
calls.n = 0
def compute(key):
    with lock: calls.n += 1
    slowly()
    return [key]
def get(key):
    future = cache.get(key)
    if future is None:
        mine = Future()
        future = cache.setdefault(key, mine)
        if future is mine: future.set_result(compute(key))
    return future.result()
def work():
    for number in range(20): assert get(number % 3) == [number % 3]
run(work, work, work)
assert calls.n == 3
""",
    ),
    "put if absent, in one step": Right(
        f"{JCIP}, section 5.4.1",
        """
table = {}
def add(key, item):
    items = table.get(key)
    if items is None: items = table.setdefault(key, [])
    items.append(item)
def work():
    for number in range(6): add(number % 2, number)
in_turn(work, work)
assert sum(map(len, table.values())) == 12
""",
    ),
    "a bounded buffer": Right(
        f"{MESA}; {JCIP}, listing 14.6",
        """
class Buffer:
    def __init__(self, size):
        lock = Lock()
        self.size, self.items, self.n = size, [], 0
        self.filled, self.emptied = Condition(lock), Condition(lock)
    def put(self, item):
        with self.emptied:
            while len(self.items) == self.size: self.emptied.wait()
            self.items.append(item)
            self.n += 1
            self.filled.notify()
    def get(self):
        with self.filled:
            while not self.items: self.filled.wait()
            self.n -= 1
            self.emptied.notify()
            return self.items.pop(0)
buffer, got = Buffer(2), []
def produce():
    for number in range(20): buffer.put(number)
def consume():
    for _ in range(20): got.append(buffer.get())
run(produce, consume, produce, consume)
assert len(got) == 40 and buffer.n == 0
""",
    ),
    "a bounded buffer by semaphores": Right(
        f"Dijkstra: Cooperating sequential processes, EWD 123, 1965, section 4.3; {DOWNEY}, section 4.1",
        """
mutex, filled, empty, items, got = Semaphore(1), Semaphore(0), Semaphore(2), [], []
def produce():
    for number in range(20):
        empty.acquire()
        with mutex: items.append(number)
        filled.release()
def consume():
    for _ in range(20):
        filled.acquire()
        with mutex: item = items.pop(0)
        empty.release()
        got.append(item)
run(produce, consume, produce, consume)
assert sorted(got) == sorted([*range(20), *range(20)])
""",
    ),
    "producers and consumers by a queue": Right(
        f"{JCIP}, section 5.3",
        """
jobs, results = queue.Queue(2), queue.Queue()
def produce():
    for number in range(10):
        job = Box(); job.n = number
        job.n += 1
        jobs.put(job)
    jobs.put(None)
def consume():
    while (job := jobs.get()) is not None:
        job.n += 1
        results.put(job)
run(produce, consume, produce, consume)
while not results.empty(): results.get().n += 1
""",
    ),
    "a stack with numbered tops": Right(
        f"{HERLIHY}, section 10.6: stamps against ABA",
        """
class Node:
    def __init__(self, name, after): self.name, self.after = name, after
stack, lock = Box(), Lock()
stack.top = (None, 0)
def compare_and_set(expected, new):
    with lock:
        if stack.top is not expected: return False
        stack.top = new
        return True
def push(name):
    while True:
        top = stack.top
        if compare_and_set(top, (Node(name, top[0]), top[1] + 1)): return
def pop():
    while True:
        top = stack.top
        if top[0] is None: return None
        if compare_and_set(top, (top[0].after, top[1] + 1)): return top[0].name
got = []
def work():
    for number in range(10): push(number)
    for _ in range(10): got.append(pop())
run(work, work)
assert sorted(got) == sorted([*range(10), *range(10)])
""",
    ),
    "a counter by compare and set": Right(
        "Herlihy: Wait-free synchronization, TOPLAS 13(1), 1991; " + f"{JCIP}, listing 15.2",
        """
counter, lock = Box(), Lock()
counter.n = 0
def compare_and_swap(expected, new):
    with lock:
        old = counter.n
        if old == expected: counter.n = new
        return old
def increment():
    n = counter.n
    while compare_and_swap(n, n + 1) != n: n = counter.n
def work():
    for _ in range(20): increment()
run(work, work)
assert counter.n == 40
""",
    ),
    "a counter by compare and set that fails once": Right(
        "Herlihy: Wait-free synchronization, TOPLAS 13(1), 1991",
        """
counter, lock = Box(), Lock()
counter.n = 0
def increment(between):
    while True:
        n = counter.n
        between()
        with lock:
            if counter.n == n:
                counter.n = n + 1
                return
        between = slowly
def first(): increment(lambda: (one.give(), other.wait()))
def second():
    one.wait()
    increment(slowly)
    other.give()
run(first, second)
assert counter.n == 2
""",
    ),
    "a counter by compare and set, that goes up and down meanwhile": Right(
        "Herlihy: Wait-free synchronization, TOPLAS 13(1), 1991",
        """
counter, lock = Box(), Lock()
counter.n = 0
def compare_and_set(expected, new):
    with lock:
        if counter.n != expected: return False
        counter.n = new
        return True
def add(number, between=slowly):
    while True:
        n = counter.n
        between()
        if compare_and_set(n, n + number): return
def first(): add(1, lambda: (one.give(), other.wait()))
def second():
    one.wait()
    add(1)
    add(-1)
    other.give()
run(first, second)
assert counter.n == 1
""",
    ),
    "a stop flag": Right(
        f"{JCIP}, listing 7.1",
        """
class PrimeGenerator:
    cancelled, last = False, 0
    def run(self):
        number = 0
        while not self.cancelled:
            number += 1
            self.last = number
    def cancel(self): self.cancelled = True
generator = PrimeGenerator()
def cancel():
    while generator.last < 10: slowly()
    generator.cancel()
run(generator.run, cancel)
""",
    ),
    "statistics, a counter for each thread": Right(
        f"{MCKENNEY}, section 5.2",
        """
hits = {}
def work(me):
    hits[me] = 0
    for _ in range(20): hits[me] += 1
seen = []
def look():
    for _ in range(5): seen.append(sum(list(hits.values())))
run(lambda: work("a"), lambda: work("b"), look)
assert sum(hits.values()) == 40
""",
    ),
    "statistics, added up at the end": Right(
        f"{MCKENNEY}, section 5.2",
        """
class Stats:
    hits = 0
    lock = Lock()
stats, local = Stats(), threading.local()
def work():
    local.hits = 0
    for _ in range(20): local.hits += 1
    with stats.lock: stats.hits += local.hits
run(work, work, work)
assert stats.hits == 60
""",
    ),
    "read, copy, update": Right(
        f"{MCKENNEY}, section 9.5",
        """
config, updates = Box(), Lock()
config.table = {"n": 0, "m": 0}
def update():
    for number in range(20):
        with updates:
            table = dict(config.table)
            table["n"] = table["n"] + 1
            table["m"] = table["m"] + 1
            config.table = table
def read():
    for _ in range(20):
        table = config.table
        assert table["n"] == table["m"]
run(update, read, update, read)
assert config.table["n"] == 40
""",
    ),
    "a list that is copied as it is written": Right(
        f"{JCIP}, section 5.2.3: CopyOnWriteArrayList",
        """
class Listeners:
    def __init__(self): self.lock, self.all = Lock(), ()
    def add(self, each):
        with self.lock: self.all = (*self.all, each)
    def remove(self, each):
        with self.lock: self.all = tuple(other for other in self.all if other != each)
listeners, told = Listeners(), []
def come_and_go(name):
    for _ in range(10):
        listeners.add(name)
        slowly()
        listeners.remove(name)
def tell():
    for _ in range(20):
        for each in listeners.all: told.append(each)
run(lambda: come_and_go("a"), tell, lambda: come_and_go("b"))
assert listeners.all == ()
""",
    ),
    "a sequence lock": Right(
        "Lamport: Concurrent reading and writing, CACM 20(11), 1977; " + f"{MCKENNEY}, section 9.4",
        """
cell, writers = Box(), Lock()
cell.sequence, cell.x, cell.y = 0, 0, 0
def write():
    for number in range(20):
        with writers:
            cell.sequence += 1
            cell.x = number
            slowly()
            cell.y = number
            cell.sequence += 1
def read():
    for _ in range(20):
        while True:
            before = cell.sequence
            x, y = cell.x, cell.y
            if before % 2 == 0 and cell.sequence == before: break
            slowly()
        assert x == y
run(write, read, read)
""",
    ),
    "Peterson's algorithm": Right(
        PETERSON,
        """
wants, turn, box = [False, False], Box(), Box()
turn.of, box.n = 0, 0
def work(me):
    for _ in range(10):
        wants[me] = True
        turn.of = 1 - me
        while wants[1 - me] and turn.of == 1 - me: slowly()
        n = box.n
        slowly()
        box.n = n + 1
        wants[me] = False
run(lambda: work(0), lambda: work(1))
assert box.n == 20
""",
    ),
    "Dekker's algorithm": Right(
        "Dijkstra: Cooperating sequential processes, EWD 123, 1965, section 2.1",
        """
wants, turn, box = {0: False, 1: False}, Box(), Box()
turn.of, box.n = 0, 0
def work(me):
    for _ in range(10):
        wants[me] = True
        while wants[1 - me]:
            if turn.of != me:
                wants[me] = False
                while turn.of != me: slowly()
                wants[me] = True
        n = box.n
        slowly()
        box.n = n + 1
        turn.of = 1 - me
        wants[me] = False
run(lambda: work(0), lambda: work(1))
assert box.n == 20
""",
    ),
    "Lamport's bakery": Right(
        "Lamport: A new solution of Dijkstra's concurrent programming problem, CACM 17(8), 1974",
        """
choosing, number, box = [False] * 3, [0] * 3, Box()
box.n = 0
def work(me):
    for _ in range(5):
        choosing[me] = True
        number[me] = 1 + max(number[0], number[1], number[2])
        choosing[me] = False
        for each in range(3):
            while choosing[each]: slowly()
            while number[each] != 0 and (number[each], each) < (number[me], me): slowly()
        n = box.n
        slowly()
        box.n = n + 1
        number[me] = 0
run(*[lambda me=me: work(me) for me in range(3)])
assert box.n == 15
""",
    ),
    "strict alternation": Right(
        "Dijkstra: Cooperating sequential processes, EWD 123, 1965, section 2.1",
        """
turn, box = Box(), Box()
turn.of, box.n = 0, 0
def work(me):
    for _ in range(10):
        while turn.of != me: slowly()
        n = box.n
        slowly()
        box.n = n + 1
        turn.of = 1 - me
run(lambda: work(0), lambda: work(1))
assert box.n == 20
""",
    ),
    "a ring buffer of one producer and one consumer": Right(
        "Lamport: Proving the correctness of multiprocess programs, TSE 3(2), 1977; " + f"{HERLIHY}, section 3.5",
        """
class Ring:
    def __init__(self, size): self.size, self.cells, self.head, self.tail = size, [None] * size, 0, 0
    def put(self, item):
        while self.tail - self.head == self.size: slowly()
        self.cells[self.tail % self.size] = item
        self.tail += 1
    def get(self):
        while self.tail == self.head: slowly()
        item = self.cells[self.head % self.size]
        self.head += 1
        return item
ring, got = Ring(2), []
def produce():
    for number in range(20): ring.put(number)
def consume():
    for _ in range(20): got.append(ring.get())
run(produce, consume)
assert got == list(range(20))
""",
    ),
    "a deque that is stolen from": Right(
        "Arora, Blumofe, Plaxton: Thread scheduling for multiprogrammed multiprocessors, SPAA 1998",
        """
decks, done = [collections.deque(range(20)), collections.deque()], collections.deque()
def work(me):
    while True:
        try: task = decks[me].pop()
        except IndexError:
            try: task = decks[1 - me].popleft()
            except IndexError: return
        done.append(task)
run(lambda: work(0), lambda: work(1))
assert sorted(done) == list(range(20))
""",
    ),
    "closed once": Right(
        LU,
        """
class File:
    def __init__(self): self.lock, self.closed, self.closes = Lock(), False, 0
    def close(self):
        with self.lock:
            if self.closed: return
            self.closed = True
        self.closes += 1
file = File()
run(file.close, file.close, file.close)
assert file.closes == 1
""",
    ),
    "a copy that is iterated over": Right(
        f"{JCIP}, section 5.1.2",
        """
table = {1: 1, 2: 2}
def go_over():
    for _ in range(10):
        for key in list(table): table.get(key)
def add():
    for number in range(3, 20): table[number] = number
run(go_over, add)
""",
    ),
    "a turnstile": Right(
        f"{DOWNEY}, section 3.6: a reusable barrier",
        """
state, mutex, enter, leave = Box(), Semaphore(1), Semaphore(0), Semaphore(1)
state.count, cells = 0, {0: 0, 1: 0, 2: 0}
def barrier():
    with mutex:
        state.count += 1
        if state.count == 3:
            leave.acquire()
            enter.release()
    enter.acquire()
    enter.release()
    with mutex:
        state.count -= 1
        if state.count == 0:
            enter.acquire()
            leave.release()
    leave.acquire()
    leave.release()
def work(me):
    for step in range(6):
        cells[(me + step) % 3] = cells[(me + step) % 3] + len(str(me))
        barrier()
run(*[lambda me=me: work(me) for me in range(3)])
assert set(cells.values()) == {6}
""",
    ),
    "a rendezvous": Right(
        f"{DOWNEY}, section 3.3",
        """
a_came, b_came, box = Semaphore(0), Semaphore(0), Box()
box.n = 0
def add():
    n = box.n
    slowly()
    box.n = n + 1
def a():
    add()
    a_came.release()
    b_came.acquire()
    add()
    a_came.release()
def b():
    a_came.acquire()
    add()
    b_came.release()
    a_came.acquire()
    add()
run(a, b)
assert box.n == 4
""",
    ),
    "a latch that counts down": Right(
        f"{JCIP}, section 5.5.1",
        """
class Latch:
    def __init__(self, count): self.condition, self.count = Condition(), count
    def count_down(self):
        with self.condition:
            self.count -= 1
            if self.count == 0: self.condition.notify_all()
    def wait(self):
        with self.condition:
            while self.count > 0: self.condition.wait()
start, end, box = Latch(1), Latch(2), Box()
box.n = 0
cells = {}
def work(me):
    start.wait()
    cells[me] = box.n + me
    end.count_down()
def main():
    box.n = box.n + 1
    start.count_down()
    end.wait()
    box.n = box.n + cells[0] + cells[1]
run(main, lambda: work(0), lambda: work(1))
assert box.n == 4
""",
    ),
    "a lock for each half": Right(
        f"{JCIP}, listing 11.8: lock striping",
        """
class Striped:
    def __init__(self): self.locks, self.parts = [Lock() for _ in range(4)], [{} for _ in range(4)]
    def add(self, key):
        with self.locks[key % 4]:
            part = self.parts[key % 4]
            if key not in part:
                slowly()
                part[key] = 0
            part[key] += 1
table = Striped()
def work():
    for number in range(40): table.add(number % 8)
run(work, work)
assert sum(sum(part.values()) for part in table.parts) == 80
""",
    ),
    "hand over hand": Right(
        f"{HERLIHY}, section 9.5: fine-grained synchronisation",
        """
class Node:
    def __init__(self, key, after): self.key, self.after, self.lock = key, after, Lock()
head = Node(-1, Node(1000, None))
def add(key):
    before = head
    before.lock.acquire()
    node = before.after
    node.lock.acquire()
    while node.key < key:
        before.lock.release()
        before, node = node, node.after
        node.lock.acquire()
    if node.key != key: before.after = Node(key, node)
    before.lock.release()
    node.lock.release()
def work(offset):
    for number in range(offset, 20, 2): add(number)
run(lambda: work(0), lambda: work(1))
node, keys = head.after, []
while node.after is not None:
    keys.append(node.key)
    node = node.after
assert keys == list(range(20))
""",
    ),
    "tasks: an update under a lock": Right(
        NODE,
        """
box = Box(); box.n = 0
async def main():
    lock = asyncio.Lock()
    async def add():
        async with lock:
            n = box.n
            await asyncio.sleep(0)
            box.n = n + 1
    await asyncio.gather(*(add() for _ in range(5)))
asyncio.run(main())
assert box.n == 5
""",
    ),
    "tasks: an update without an await": Right(
        NODE,
        """
box, table = Box(), {}
box.n = 0
async def add():
    for _ in range(5):
        box.n += 1
        if "k" not in table: table["k"] = []
        table["k"].append(1)
        await asyncio.sleep(0)
async def main(): await asyncio.gather(add(), add())
asyncio.run(main())
assert box.n == 10
""",
    ),
    "tasks: a cache of futures": Right(
        NODE,
        """
cache, calls = {}, []
async def fetch(key):
    calls.append(key)
    await asyncio.sleep(0)
    return [key]
async def get(key):
    if key not in cache: cache[key] = asyncio.ensure_future(fetch(key))
    return await cache[key]
async def main(): await asyncio.gather(get("k"), get("k"), get("j"))
asyncio.run(main())
assert calls == ["k", "j"]
""",
    ),
    "tasks: a bounded buffer": Right(
        MESA,
        """
items, got = [], []
async def main():
    condition = asyncio.Condition()
    async def put(item):
        async with condition:
            while len(items) == 2: await condition.wait()
            items.append(item)
            condition.notify_all()
    async def get():
        async with condition:
            while not items: await condition.wait()
            got.append(items.pop(0))
            condition.notify_all()
    async def produce():
        for number in range(10): await put(number)
    async def consume():
        for _ in range(10): await get()
    await asyncio.gather(produce(), consume(), produce(), consume())
asyncio.run(main())
assert len(got) == 20
""",
    ),
    "tasks: philosophers of whom four may sit": Right(
        DOWNEY,
        """
eaten = []
async def main():
    forks, seats = [asyncio.Lock() for _ in range(5)], asyncio.Semaphore(4)
    async def philosopher(place):
        async with seats, forks[place], forks[(place + 1) % 5]:
            await asyncio.sleep(0)
            eaten.append(place)
    await asyncio.gather(*map(philosopher, range(5)))
asyncio.run(main())
""",
    ),
}
for _form, (_check, _label, _act) in _LAZY.items():
    _indented = _check.replace("\n", "\n    ")
    RIGHT[f"lazy initialisation under a lock by {_form}"] = Right(
        f"{JCIP}, listing 2.3",
        f"""
{_LAZY_HEAD}
def make():
    with lock:
        {_indented}
            slowly()
            {_act}
run(make, make, make)
""",
    )
