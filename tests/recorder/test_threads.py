"""Threads of all kinds, in numbers, and what the program notices of being recorded: nothing."""

from __future__ import annotations

import pytest

from opcodetrace.rewrite.interpreters import FREE_THREADED
from tests.recording import Scripts


def recorded(scripts: Scripts, source: str) -> list[tuple[object, ...]]:
    """Runs it plainly and recorded; gives the threads' numbers, names and whether they ended."""
    scripts.write("script.py", source)
    assert scripts.same("script.py", here=True) == 0
    assert scripts.query("SELECT missed, holes, uncertain, truncated FROM runs") == [(0, 0, 0, None)]
    return scripts.query("SELECT thread, name, ended FROM threads ORDER BY thread")


DAEMONS = """
import threading, time
counter, started = [0], [threading.Event() for _ in range(4)]
def forever(event):
    own = {}
    while True:
        own['n'] = counter[0]
        event.set()
        sum(range(10_000))  # however long the end takes, the window has room for what they do
for n, event in enumerate(started):
    threading.Thread(target=forever, args=(event,), daemon=True, name=f'daemon {n}').start()
for event in started:
    event.wait()
counter[0] = 1
print('the end')
"""


def test_daemons_that_run_when_the_script_ends(scripts: Scripts) -> None:
    threads = recorded(scripts, DAEMONS)
    assert threads == [(0, "MainThread", 0)] + [
        (n + 1, f"daemon {n}", ended) for n, (_, _, ended) in enumerate(threads[1:])
    ]
    assert len(threads) == 5
    assert scripts.query("SELECT lost_at_most, unseen FROM runs") == [(0, 0)]
    assert scripts.query("SELECT label, writes FROM locations") == [("counter[0]", 1)]


FROM_C = """
import ctypes, _thread
libc = ctypes.CDLL(None)
counter = [0]
seen = []
@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def work(argument):
    for _ in range(100):
        counter[0] += 1
    seen.append(argument)
    return 0
libc.pthread_join.argtypes = [ctypes.c_ulong, ctypes.c_void_p]
for n in range(5):
    thread = ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, work, ctypes.c_void_p(n + 1)) == 0
    assert libc.pthread_join(thread, None) == 0
print(counter, seen)
"""


def test_threads_that_c_starts(scripts: Scripts) -> None:
    threads = recorded(scripts, FROM_C)
    assert threads == [(0, "MainThread", 0)] + [(n + 1, None, 1) for n in range(5)]
    per_thread = "SELECT thread, count(*) FROM accesses WHERE location = 'counter[0]' GROUP BY thread"
    assert scripts.query(per_thread) == [(n + 1, 200) for n in range(5)]


LOW_LEVEL = """
import _thread
counter, lock, done = [0], _thread.allocate_lock(), _thread.allocate_lock()
left = [20]
done.acquire()
def work():
    with lock:
        counter[0] += 1
    with lock:
        left[0] -= 1
        if left[0] == 0: done.release()
for _ in range(20):
    _thread.start_new_thread(work, ())
done.acquire()
print(counter)
"""


def test_threads_without_the_threading_module(scripts: Scripts) -> None:
    threads = recorded(scripts, LOW_LEVEL)
    assert [name for _, name, _ in threads] == ["MainThread"] + [None] * 20
    assert scripts.query("SELECT lost_at_most, unseen FROM runs") == [(0, 0)]
    assert scripts.query("SELECT writes FROM locations ORDER BY label") == [(20,), (20,)]


IN_NUMBERS = """
import threading
counter, lock, gate = [0], threading.Lock(), threading.Event()
def work(waits):
    if waits: gate.wait()
    own = [counter[0]]
    own[0] += 1
    with lock:
        counter[0] += 1
for n in range(1000):
    thread = threading.Thread(target=work, args=(False,), name=f'after {n}')
    thread.start()
    thread.join()
threads = [threading.Thread(target=work, args=(True,), name=f'beside {n}') for n in range(200)]
for thread in threads: thread.start()
gate.set()
for thread in threads: thread.join()
print(counter)
"""


def test_a_thousand_threads_one_after_the_other_and_200_at_once(scripts: Scripts) -> None:
    threads = recorded(scripts, IN_NUMBERS)
    assert [number for number, _, _ in threads] == list(range(1201))
    names = ["MainThread", *(f"after {n}" for n in range(1000)), *(f"beside {n}" for n in range(200))]
    assert sorted(str(name) for _, name, _ in threads) == sorted(names)
    assert [name for _, name, _ in threads[:1001]] == names[:1001]
    assert scripts.query("SELECT lost_at_most, unseen FROM runs") == [(0, 0)]
    assert scripts.query("SELECT label, writes, threads FROM locations") == [("counter[0]", 1200, 1200)]


NAMES = """
import threading
counter, renamed, go = [0], threading.Event(), threading.Event()
class Named(threading.Thread):
    @property
    def name(self): return 'served by code'
    @name.setter
    def name(self, value): pass
def work(own=None):
    counter[0] += 1
    if own: threading.current_thread().name = own
    renamed.set()
    go.wait()
    counter[0] += 1
def run(thread, name=None):
    renamed.clear(); go.clear()
    thread.start()
    renamed.wait()
    if name: thread.name = name
    go.set()
    thread.join()
run(threading.Thread(target=work, name='first'))
run(threading.Thread(target=work, args=('renames itself',)))
run(threading.Thread(target=work, name='third'), 'renamed by main')
early = threading.Thread(target=work)
early.name = 'renamed before the start'
run(early)
class Other: name = ''
other = Other(); other.name = 'no thread'
named = Named(target=work)
named._name = 'as it was'
run(named, 'of no account')
threading.current_thread().name = 'chief é' * 30
"""


def test_names_as_the_program_sets_them(scripts: Scripts) -> None:
    threads = recorded(scripts, NAMES)
    assert [name for _, name, _ in threads][1:5] == [
        "first",
        "renames itself",
        "renamed by main",
        "renamed before the start",
    ]
    assert str(threads[0][1]).startswith("chief échief é")
    assert threads[5][1] == "as it was"
    assert len(threads) == 6


LOCALS = """
import sys, threading
sys.setswitchinterval(1e-6)
class Own(threading.local):
    n = 0
    __slots__ = ('slot', '__dict__')
    def __init__(self, start):
        self.total = start
        self.row = [0]
class Simple(threading.local):
    def __init__(self): self.total = 0
own, simple, plain, one = Own(0), Simple(), threading.local(), {'shared': 0}
lock = threading.Lock()
def work():
    plain.x = plain.y = 0
    for i in range(200):
        own.n += 1
        own.total = own.total + 1
        own.row[0] += 1
        own.__dict__['through'] = own.__dict__.get('through', 0) + 1
        before = plain.x
        plain.x = before + 1
        vars(plain)['y'] += 1
        simple.total += 1
        del plain.y
        plain.y = i
        with lock: one['shared'] += 1
    assert (own.n, own.total, own.row, own.through) == (200, 200, [200], 200)
    assert (plain.x, plain.y, simple.total) == (200, 199, 200)
for _ in range(5):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_what_is_local_to_a_thread_is_not_shared(scripts: Scripts) -> None:
    recorded(scripts, LOCALS)
    assert scripts.query("SELECT lost_at_most, unseen FROM runs") == [(0, 0)]
    assert scripts.query("SELECT label, writes FROM locations") == [("one['shared']", 4000)]


SLOT = """
import threading
class Own(threading.local):
    __slots__ = ('shared',)
own = Own()
own.shared = 0
def work():
    before = own.shared
    both_have_read.wait()
    own.shared = before + 1
both_have_read = threading.Barrier(2)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(own.shared)
"""


def test_a_slot_of_a_threads_local_is_shared_by_all(scripts: Scripts) -> None:
    """`__slots__` of a subclass are not per thread (the documentation of _threading_local says so). As their look-up is
    not the plain one, they make no location: nothing is found, and nothing false."""
    recorded(scripts, SLOT)
    assert scripts.query("SELECT lost_at_most, unseen FROM runs") == [(0, 0)]


HOOKS = {
    "threading.excepthook": """
import threading, sys
def hook(args):
    print(args.exc_type, args.exc_value, args.thread.name)
    frame = args.exc_traceback
    while frame is not None:
        print(frame.tb_frame.f_code.co_name, frame.tb_lineno, frame.tb_lasti >= 0)
        frame = frame.tb_next
threading.excepthook = hook
counter = {'a': 0}
def work():
    counter['a'] += 1
    counter['b'] += 1
thread = threading.Thread(target=work, name='fails'); thread.start(); thread.join()
""",
    "the default one": """
import threading
counter = {'a': 0}
def deeper(key):
    counter[key] += 1
def work(key):
    deeper(key)
for key in ('a', 'b'):
    thread = threading.Thread(target=work, args=(key,), name=f'fails at {key}'); thread.start(); thread.join()
class Quiet(threading.Thread):
    def run(self): raise SystemExit(3)
thread = Quiet(); thread.start(); thread.join()
""",
    "one that fails": """
import threading
def hook(args):
    raise ValueError(args.exc_value)
threading.excepthook = hook
def work():
    [][0] += 1
thread = threading.Thread(target=work, name='fails'); thread.start(); thread.join()
""",
    "sys.unraisablehook": """
import sys, gc
def hook(args):
    print(args.exc_type, args.exc_value, args.exc_traceback.tb_lineno)
class Box:
    def __del__(self):
        row = [0]
        row[0] += 1
        row[1] += 1
sys.unraisablehook = hook
Box(); gc.collect()
""",
    "_thread": """
import _thread, time, sys
done = _thread.allocate_lock(); done.acquire()
def hook(args):
    print(args.exc_type, args.exc_value)
    done.release()
sys.unraisablehook = hook
def work():
    row = [0]
    row[1] += 1
_thread.start_new_thread(work, ())
done.acquire()
""",
}


@pytest.mark.parametrize("source", HOOKS.values(), ids=HOOKS)
def test_exceptions_of_threads_are_reported_as_without_us(source: str, scripts: Scripts) -> None:
    scripts.write("script.py", source)
    assert scripts.same("script.py", here=True) == 0


def test_sys_excepthook(scripts: Scripts) -> None:
    scripts.write(
        "script.py",
        """
import sys, threading
def hook(kind, error, traceback):
    print(kind, error, threading.current_thread().name, traceback.tb_lineno, traceback.tb_next.tb_lineno)
sys.excepthook = hook
def fail(): [][0] += 1
thread = threading.Thread(target=fail); thread.start(); thread.join()
fail()
""",
    )
    assert scripts.same("script.py", here=True) == 1


@pytest.mark.skipif(FREE_THREADED, reason="there are no switches")
def test_what_the_main_thread_waits_for_at_the_end(scripts: Scripts) -> None:
    """Threads that are no daemons outlive the script's last line."""
    scripts.write(
        "script.py",
        """
import threading
counter, go = [0], threading.Event()
def work():
    go.wait()
    for _ in range(1000): counter[0] += 1
for _ in range(3): threading.Thread(target=work).start()
counter[0] = 0
go.set()
""",
    )
    assert scripts.same("script.py", here=True) == 0
    assert scripts.query("SELECT count(*), sum(ended) FROM threads") == [(4, 3)]
    assert scripts.query("SELECT lost_at_most, unseen FROM runs") == [(0, 0)]
