"""Threads, and the switches between them."""

import sysconfig

import pytest

from opcodetrace.spool.layout import NO_SITE, RecordKind, SwitchFlag, Tag
from tests.probe.traced import trace, trace_twice
from tests.windows import Event

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
gil_only = pytest.mark.skipif(FREE_THREADED, reason="without the GIL there are no switches")


def test_threads_are_numbered_as_they_appear() -> None:
    result = trace("""
        import threading
        h = hook('COMPUTE')
        def work(n):
            h[h] = n
            h[h] = n
        h[h] = -1
        idents = [threading.get_ident()]
        natives = [threading.get_native_id()]
        for n in range(3):
            t = threading.Thread(target=work, args=(n,), name=f'worker é {n}')
            t.start(); t.join()
            idents.append(t.ident); natives.append(t.native_id)
        class Own(threading.Thread):
            @property
            def _name(self): return 'served by code'
            @_name.setter
            def _name(self, value): pass
        t = Own(target=work, args=(3,)); t.start(); t.join()
        import _thread
        _thread.start_new_thread(work, (4,))
        while not ended(5): pass
        print(idents, natives)
    """)
    threads = result.of(RecordKind.THREAD)
    idents, natives = eval(result.output.replace("] [", "],["))
    assert [event.thread for event in threads] == [0, 1, 2, 3, 4, 5]
    assert [event.container for event in threads][:4] == idents
    assert [event.key for event in threads][:4] == natives
    assert [event.value for event in threads] == ["MainThread", "worker é 0", "worker é 1", "worker é 2", None, None]
    assert [(event.thread, event.value) for event in result.of(RecordKind.COMPUTE)] == [(0, -1)] + [
        (n + 1, n) for n in range(5) for _ in range(2)
    ]
    for event in threads:
        not_its_own = (RecordKind.SWITCH, RecordKind.BIRTH)
        own = [other for other in result.events if other.thread == event.thread and other.kind not in not_its_own]
        assert event == own[0]
    assert result.ended == [1, 2, 3, 4, 5]


def test_a_renamed_main_thread() -> None:
    assert trace("import threading").of(RecordKind.THREAD)[0].value == "MainThread"


# `woven` marks a function as the weaver does, with the calls that are in its code.
WOVEN = """
import dis, struct, threading, time, _thread
CALLS = ('CALL', 'PRECALL', 'CALL_KW', 'CALL_FUNCTION_EX', 'BEFORE_WITH')
def woven(function, number=77):
    code = function.__code__
    table, special = b'', False
    for i in dis.get_instructions(code):
        if i.opname in CALLS:
            # every call in these functions is a statement of its own, in no loop over an iterator
            depth = i.arg + 2 + (i.opname == 'CALL_KW') if i.opname != 'BEFORE_WITH' else 1
            if special: depth += 2  # 3.14: below __enter__ lies __exit__
            table += struct.pack('<IHHI', i.offset // 2, depth, i.arg or 0, 0)
        special = i.opname == 'LOAD_SPECIAL'
    function.__code__ = code.replace(co_consts=code.co_consts + (_probe.Code(number, table),))
    return function
def until_main_is_inside(function):
    # As this thread has the GIL, and what is called there does not come back before it lets it, main is inside of it.
    calls = {i.offset for i in dis.get_instructions(function) if i.opname in CALLS}
    while True:
        frame = sys._current_frames()[threading.main_thread().ident]
        if frame.f_code is function.__code__ and frame.f_lasti in calls:
            return
        time.sleep(0)
def meanwhile(worker):
    # Runs main, and beside it what makes it go on.
    t = threading.Thread(target=worker)
    t.start()
    main()
    t.join()
h = hook('COMPUTE', 5)
sys.setswitchinterval(1e-5)
"""


def switches(program: str) -> list[Event]:
    return trace(WOVEN + program).of(RecordKind.SWITCH)


@gil_only
@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("time.sleep(99)", "time.sleep"),
        ("lock.acquire()", "_thread.lock.acquire"),
        ("lock.acquire(True)", "_thread.lock.acquire"),
        ("lock.acquire(timeout=99)", "_thread.lock.acquire"),
        ("bound()", "_thread.lock.acquire"),
    ],
)
def test_a_thread_inside_a_c_function(call: str, name: str) -> None:
    program = f"""
import signal
class Awake(Exception): pass
awoken = False
def awake(*_):
    global awoken
    if not awoken:
        awoken = True
        raise Awake
def wake():
    while not awoken:  # what comes just before the system call wakes nobody
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        time.sleep(0)
signal.signal(signal.SIGUSR1, awake)
lock = _thread.allocate_lock(); lock.acquire()
bound = lock.acquire
@woven
def main():
    h[h] = 0
    {call}
    h[h] = 3
def worker():
    until_main_is_inside(main)
    h[h] = 1
    wake() if {name == "time.sleep"} else lock.release()
t = threading.Thread(target=worker)
t.start()
try: main()
except Awake: pass
t.join()
"""
    first = next(event for event in switches(program) if event.site == 77)
    assert (first.container, first.thread, first.site) == (0, 1, 77)
    assert SwitchFlag(first.before) == SwitchFlag.TOP | SwitchFlag.IN_CALL
    assert first.value == name


@gil_only
def test_sleeping_for_no_time_is_yielding() -> None:
    for zero in "0", "0.0":
        found = switches(f"""
@woven
def main():
    global begun
    h[h] = 0
    begun = True
    while turns < 3:
        time.sleep({zero})
        h[h] = 3
def worker():
    global turns
    while not begun: time.sleep(0)
    while turns < 3:
        h[h] = turns = turns + 1
        time.sleep(0)
turns, begun = 0, False
sys.setswitchinterval(1e6)  # nobody is preempted: to have a turn, the worker needs one that yields
meanwhile(worker)
""")
        yields = [event for event in found if event.container == 0 and event.value == "time.sleep"]
        assert yields
        flags = SwitchFlag.TOP | SwitchFlag.IN_CALL | SwitchFlag.YIELD
        assert {SwitchFlag(event.before) for event in yields} == {flags}


@gil_only
def test_with_a_lock() -> None:
    found = switches("""
lock = _thread.allocate_lock(); lock.acquire()
@woven
def main():
    h[h] = 0
    with lock:
        h[h] = 3
def worker():
    until_main_is_inside(main)
    h[h] = 1
    lock.release()
meanwhile(worker)
""")
    first = next(event for event in found if event.site == 77)
    assert SwitchFlag(first.before) == SwitchFlag.TOP | SwitchFlag.IN_CALL
    assert first.container == 0


@gil_only
def test_a_thread_preempted() -> None:
    found = switches("""
steps, over = [0, 0], False
@woven
def spin(me):
    global over
    seen, left = steps[1 - me], 3
    while not over:
        h[h] = steps[me] = steps[me] + 1
        len(())
        if steps[1 - me] != seen:  # the other one was running meanwhile
            seen = steps[1 - me]
            left = left - 1
            over = left == 0
threads = [threading.Thread(target=spin, args=(n,)) for n in range(2)]
for t in threads: t.start()
for t in threads: t.join()
""")
    between = [event for event in found if event.container in (1, 2) and event.site == 77]
    assert between
    assert {SwitchFlag(event.before) for event in between} <= {SwitchFlag.TOP}
    assert {event.value for event in between} == {Tag.ABSENT}


@gil_only
def test_a_thread_that_called_python_code_that_is_not_woven() -> None:
    found = switches("""
@woven
def main():
    h[h] = 0
    inner()
    h[h] = 3
lock = _thread.allocate_lock(); lock.acquire()
def inner():
    lock.acquire()
def worker():
    until_main_is_inside(inner)
    h[h] = 1
    lock.release()
meanwhile(worker)
""")
    first = next(event for event in found if event.site == 77)
    assert (first.container, first.before, first.value) == (0, SwitchFlag.IN_CALL, "_thread.lock.acquire")


@gil_only
def test_a_call_whose_operands_are_being_freed() -> None:
    """The callable is gone before the argument, a socket whose closing takes its time without the GIL. What lies in the
    value stack is an object no more: nothing is said of why the thread stands there."""
    found = switches("""
import functools, socket, struct
def lingering():
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    keep.append((server, server.accept()))
    client.setblocking(False)
    try:
        while True: client.send(b"x" * 65536)
    except BlockingIOError: pass
    client.setblocking(True)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 99))
    return __import__("_socket").socket(fileno=client.detach())
keep = []
@woven
def main():
    h[h] = 0
    functools.partial(bool)(lingering())
    h[h] = 3
def worker():
    until_main_is_inside(main)
    a = "".ljust(39); b = "".ljust(39); c = "".ljust(39); d = "".ljust(39)  # what takes the memory
    h[h] = 1
    keep[0][1][0].close()  # what the other end waits for
meanwhile(worker)
""")
    during = [event for event in found if event.container == 0 and event.site == 77]
    assert (SwitchFlag(0), Tag.ABSENT) in {(SwitchFlag(event.before), event.value) for event in during}


@gil_only
def test_a_call_of_c_code_that_nobody_follows() -> None:
    found = switches("""
import os, select
reader, writer = os.pipe()
@woven
def main():
    h[h] = 0
    select.select([reader], [], [])
    h[h] = 3
def worker():
    until_main_is_inside(main)
    h[h] = 1
    os.write(writer, b".")
meanwhile(worker)
""")
    first = next(event for event in found if event.site == 77)
    assert (first.container, first.before, first.value) == (0, 0, Tag.ABSENT)


@gil_only
def test_a_thread_that_has_ended_or_is_not_woven() -> None:
    found = switches("""
def worker():
    h[h] = 1
h[h] = 0
_thread.start_new_thread(worker, ())
while not ended(1): pass
h[h] = 3
""")
    assert (found[0].container, found[0].thread) == (0, 1)
    assert found[-1].container == 1
    assert {event.site for event in found} == {NO_SITE}


@gil_only
def test_a_hook_that_records_nothing_shows_the_switch_all_the_same() -> None:
    result = trace("""
        import _thread
        b, e, h = hook('ITEM_BEGIN', 1), hook('READ_END', 1), hook('COMPUTE', 3)
        r = hook('ITEM_READ', 2, 0)
        l = [1]
        def worker():
            r[()] = 0
            r[()] = 0
            global step
            step = 1
            while step == 1: pass
            h[h] = 1
            step = 3
            while step == 3: pass
            b[l] = 0; e[e] = 1
            step = 5
        h[h] = 0
        _thread.start_new_thread(worker, ())
        while 'step' not in globals(): pass
        b[l] = 0
        step = 2
        while step == 2: pass
        e[e] = 1
        step = 4
        while step == 4: pass
    """)
    others = (RecordKind.THREAD, RecordKind.BIRTH, RecordKind.SYNC)
    kinds = [(event.kind.name, event.thread) for event in result.events if event.kind not in others]
    assert kinds == [
        ("COMPUTE", 0),
        ("SWITCH", 1), ("PASS", 1),
        ("SWITCH", 0), ("PASS", 0),
        ("SWITCH", 1), ("COMPUTE", 1),
        ("SWITCH", 0), ("READ", 0),
        ("SWITCH", 1), ("PASS", 1), ("READ", 1),
    ]  # fmt: skip
    assert [event.before for event in result.of(RecordKind.READ)] == [3, 0]


def test_many_threads() -> None:
    result = trace("""
        import threading
        h = hook('COMPUTE')
        def work(n): h[h] = n
        for n in range(1500):
            t = threading.Thread(target=work, args=(n,)); t.start(); t.join()
    """)
    assert sorted(event.value for event in result.of(RecordKind.COMPUTE)) == list(range(1500))  # type: ignore[type-var]
    assert result.missed == 0
    assert len(result.of(RecordKind.THREAD)) == 1501


def test_threads_that_do_everything_at_once() -> None:
    """Shared containers and classes change under the probe's hands: it may miss what was, it must not fall."""
    result = trace(
        """
        import threading
        sys.setswitchinterval(1e-5)
        b, e = pair('ITEM_BEGIN', 'READ_END')
        ab, ae = pair('ATTR_BEGIN', 'READ_END', 'x', 2)
        fb, fe = pair('ATTR_BEGIN', 'READ_END', 'y', 3)
        s, w = pair('ATTR_STORE', 'WRITE_END', 'x', 4)
        t, v, x = hook('ITEM_TARGET', 5), hook('ITEM_VALUE', 5), hook('WRITE_END', 5)
        cb, ce = pair('ATTR_BEGIN', 'READ_END', 'shared', 6)
        mb, me = pair('ATTR_BEGIN', 'READ_END', 'g', 7)
        import __main__
        g = 0
        class C:
            shared = 0
            def __getattr__(self, name): return 1
        def work(n):
            for i in range(4000):
                key = keys[i % 7]
                b[d] = key; e[e] = d.get(key)
                t[d] = key; v[v] = f'{n} {i}'; d[key] = i; x[x] = x
                t[l] = i % 3; v[v] = (i,); l[i % 3] = i; x[x] = x
                ab[o] = ab; ae[ae] = o.x
                fb[o] = fb; fe[fe] = o.y
                s[o] = i; o.x = i; w[w] = w
                cb[C] = cb; ce[ce] = C.shared
                mb[__main__] = mb; me[me] = __main__.g
                if i % 50 == n:
                    C.shared = i
                    vars(o)['y'] = i
                    vars(o).pop('y', None)
                    d.clear()
                    __main__.g = i
                    del l[:]; l.extend([0, 0, 0])
                    p = C(); p.x = 1; s[p] = 2; p.x = 2; w[w] = w
                    type(f'T{i}', (C,), {})().x
        class Key:
            def __init__(self, n): self.n = n
            def __hash__(self): return 1
            def __eq__(self, other): return self.n == getattr(other, 'n', other)
        keys = [1, 'a', 2.5, None, (1, 'b'), Key(1), Key(2)]
        d, l, o = {}, [0, 0, 0, 0, 0, 0], C()
        o.x = 0
        def guarded(n):
            try: work(n)
            except IndexError: guarded(n)
        threads = [threading.Thread(target=guarded, args=(n,)) for n in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
        window_bytes=1 << 26,
    )
    assert len(result.accesses) > 50000


TWICE = """
import asyncio, threading
async def step():
    await asyncio.sleep(0)
    await asyncio.sleep(3600)
"""


@gil_only
def test_a_task_of_an_earlier_recording_says_nothing_of_a_later_one() -> None:
    """The last step of the first recording was a task's; its lane's number is another thread's in the second."""
    _, second = trace_twice(f"""{TWICE}
h = hook('COMPUTE')
loop = asyncio.new_event_loop()
task = loop.create_task(step())
loop.call_soon(loop.stop)
loop.run_forever()
second()
h = hook('COMPUTE')
h[h] = 0
passed, may_end = threading.Lock(), threading.Lock()
passed.acquire(); may_end.acquire()
def worker():
    h[h] = 1
    passed.release()
    may_end.acquire()
thread = threading.Thread(target=worker)
thread.start()
passed.acquire()
h[h] = 2
may_end.release()
thread.join()
task.cancel()
""")
    back = [event for event in second.of(RecordKind.SWITCH) if (event.container, event.thread) == (1, 0)]
    assert back
    assert not any(SwitchFlag(event.before) & SwitchFlag.AWAITS for event in back)


def test_a_step_that_outlives_its_recording_gives_no_number_back() -> None:
    """It gives back what the thread was in the recording that it began in: in the next one that is another thread's."""
    _, later = trace_twice(f"""{TWICE}
async def outlive():
    def elsewhere():
        second()
        return None
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    global h
    h = hook('COMPUTE', 2)
    h[h] = 1
loop = asyncio.new_event_loop()
loop.run_until_complete(outlive())
h[h] = 2
""")
    assert len({event.thread for event in later.of(RecordKind.COMPUTE)}) == 1
