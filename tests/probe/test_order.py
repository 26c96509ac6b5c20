"""Order: what is exact, what is an interval, and that what raised is not recorded."""

import sysconfig

import pytest

from opcodetrace.spool.layout import RecordKind
from tests.probe.traced import by_thread, trace
from tests.windows import Event, Trace

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
gil_only = pytest.mark.skipif(FREE_THREADED, reason="without the GIL every access is an interval")


def test_what_raises_is_not_recorded() -> None:
    result = trace("""
        b, e = pair('ITEM_BEGIN', 'READ_END')
        t, v, w = hook('ITEM_TARGET', 2), hook('ITEM_VALUE', 2), hook('WRITE_END', 2)
        d = {'a': 1}
        def read(key):
            try:
                b[d] = key; value = d[key]; e[e] = value
            except (KeyError, TypeError): pass
        def write(c, key, value):
            try:
                t[c] = key; v[v] = value; c[key] = value; w[w] = w
            except (IndexError, TypeError): pass
        class Odd:
            def __init__(self, good): self.good = good
            def __hash__(self):
                if not self.good: raise TypeError
                return 1
        good, bad = Odd(True), Odd(False)
        for _ in range(3):
            read('b'); read('a'); read([])
            write([1], 5, 0)       # raises, and is known to
            write(d, [], 0)        # raises
            write(d, bad, 0)       # raises, is not known to
            write(d, 'a', 1)       # exact: must not end what was begun at the same place
            write(d, good, 2)
    """)
    found = [(event.kind.name, event.value) for event in result.accesses]
    assert found == [("READ", 1), ("WRITE", 1), ("WRITE", 2)] * 3
    assert result.missed == 0


NESTING = """
b, e = pair('ITEM_BEGIN', 'READ_END')
class Key:
    def __init__(self, depth): self.depth = depth
    def __hash__(self):
        if self.depth: look(self.depth - 1)
        return 1
    def __eq__(self, other): return True
d = {1: 'x'}
def look(depth):
    key = Key(depth)
    b[d] = key; value = d[key]; e[e] = value
"""


def test_operations_nest() -> None:
    result = trace(NESTING + "look(40)\nlook(0)")
    assert [event.value for event in result.accesses] == ["x"] * 42
    assert result.missed == 0
    assert [event.before > 0 for event in result.accesses] == [False] + [True] * 40 + [False]


def test_operations_that_nest_too_deep_are_counted() -> None:
    result = trace(NESTING + "sys.setrecursionlimit(10000)\nlook(299)")
    assert len(result.accesses) == 256
    assert result.missed == 300 - 256


def test_many_that_raised_do_not_hide_one_that_did_not() -> None:
    result = trace("""
        b, e = pair('ITEM_BEGIN', 'READ_END')
        d = {}
        for i in range(1000):
            other = hook('ITEM_BEGIN', 2 + i)
            other[d] = i
            b[d] = 'a'; e[e] = i
    """)
    assert [event.value for event in result.accesses] == list(range(1000))
    assert result.missed == 0


def test_an_operation_begun_before_recording_stopped_is_dropped() -> None:
    result = trace("""
        b, e = pair('ITEM_BEGIN', 'READ_END')
        d = {}
        b[d] = 'a'
        _probe.stop()
        e[e] = 1
        b[d] = 'b'
        _probe.start()
        e[e] = 2
        b[d] = 'c'
        e[e] = 3
    """)
    assert [event.value for event in result.accesses] == [3]


def test_deletion_of_an_item_of_a_hook_does_nothing() -> None:
    result = trace("""
        h = hook('COMPUTE')
        before = _probe.recorded()
        del h[1]
        assert _probe.recorded() == before
    """)
    assert result.missed == 0


@gil_only
@pytest.mark.parametrize(
    ("program", "exact"),
    [
        ("s[l] = 1", True),
        ("s[d] = 1", True),
        ("s[{}] = 1", True),
        ("s[{0: 1, 'b': 2}] = 1", True),
        ("s[{(1, 'b'): 1}] = 1", True),
        ("class K:\n    def __hash__(self): return 0\ns[{K(): 1}] = 1", False),
        ("class K: pass\ns[{K(): 1}] = 1", True),
        ("class L(list): pass\ns[L([1])] = 1", True),
        ("s[bytearray(b'a')] = 1", False),
        ("import collections\ns[collections.OrderedDict()] = 1", False),
        ("import collections\ns[collections.defaultdict()] = 1", True),
    ],
)
def test_which_stores_are_exact(program: str, exact: bool) -> None:
    """An exact one is recorded by the hook before it, another one by the hook after it."""
    result = trace(f"l, d = [1], {{'a': 1}}\ns = hook('ITEM_STORE', 1, 0)\n{program}")
    assert [event.before for event in result.accesses] == [0] * exact


@gil_only
def test_a_read_after_which_alone_a_hook_comes() -> None:
    """If it may have run Python code, it lies after this thread's last hook, unless the container holds what was
    read even now (a defaultdict)."""
    result = trace("""
        import collections, threading
        r, m = hook('ITEM_READ', 1, 0), hook('COMPUTE', 2)
        class Default(dict):
            def __missing__(self, key): return 1
        def other(): m[m] = 0
        for c in [1], {0: 1}, collections.defaultdict(int), Default(), collections.deque([1]):
            m[m] = 1
            value = c[0]
            t = threading.Thread(target=other); t.start(); t.join()
            r[c] = value
    """)
    assert [event.before > 0 for event in result.accesses] == [False, False, False, True, True]


def test_numbers_of_records_between_do_not_blur_the_order() -> None:
    """Texts, types and births that this thread emits are no events."""
    result = trace("""
        b, e = pair('ITEM_BEGIN', 'READ_END')
        class New: pass
        d = {}
        for i in range(50):
            b[d] = f'key {i}'
            e[e] = f'value {i}' * 3
        b[d] = New; e[e] = New()
    """)
    assert {event.before for event in result.accesses} == {0}


COUNTING = """
import threading
sys.setswitchinterval(1e-5)
r, s, w = hook('ITEM_READ', 1, 0), hook('ITEM_STORE', 2, 0), hook('WRITE_END', 2)
counter = [0]
def count():
    for _ in range(20000):
        value = counter[0]
        r[counter] = value
        value = step(value)
        s[counter] = value
        counter[0] = value
        w[w] = w
def step(value):
    return value + 1
threads = [threading.Thread(target=count) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
print(counter[0])
"""


def test_the_log_agrees_with_the_values() -> None:
    for _ in range(8):  # a busy machine may let each thread run to its end before the next
        lost = 60000 - newest_value(trace(COUNTING))
        if lost or FREE_THREADED:
            return
    pytest.fail("the counting threads were never switched: this test shows nothing")


def newest_value(result: Trace) -> int:
    """The counter's last value, as the log has it, which agrees with every value that was read."""
    events = result.accesses
    assert len(events) == 120000
    for own in by_thread(events):
        assert [event.kind for event in own] == [RecordKind.READ, RecordKind.WRITE] * 20000
        for read, write in zip(own[::2], own[1::2], strict=True):
            assert write.value == cast_int(read) + 1
    if FREE_THREADED:
        assert any(event.before for event in events)
        return int(result.output)
    assert not any(event.before for event in events)
    newest = 0
    for event in events:
        if event.kind is RecordKind.READ:
            assert event.value == newest, event
        newest = cast_int(event)
    assert newest == int(result.output)
    return newest


def cast_int(event: Event) -> int:
    assert isinstance(event.value, int)
    return event.value
