"""Births: an address is an identity only as long as its object lives."""

import sys

import pytest

from opcodetrace.spool.layout import HeaderFlag, RecordKind
from tests.probe.traced import trace, trace_twice
from tests.windows import Object

MADE = {
    "list": "[1]",
    "dict": "{0: 1}",
    "bytearray": "bytearray(b'a')",
    "deque": "collections.deque([1])",
    "subclass of list": "Rows([1])",
    "subclass of dict": "Table({0: 1})",
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_an_address_used_again_is_a_new_identity(made: str) -> None:
    result = trace(f"""
import collections
class Rows(list): pass
class Table(dict): pass
s, w = pair('ITEM_STORE', 'WRITE_END', 0)
for _ in range(50):
    c = {made}
    s[c] = 1
    w[w] = w
    del c
""")
    addresses: set[int] = set()
    stored = []
    for event in result.events:
        if event.kind is RecordKind.BIRTH:
            addresses.discard(event.container)
        elif event.kind is RecordKind.WRITE:
            assert event.address not in addresses, "the same address, and no birth in between"
            addresses.add(event.address)
            stored.append(event.address)
    assert HeaderFlag.BIRTHS in result.flags
    assert len(stored) == 50
    assert len(result.of(RecordKind.BIRTH)) >= 50 - len(set(stored))


@pytest.mark.parametrize("base", ["object", "Exception", "int"])
@pytest.mark.parametrize("body", ["pass", "__slots__ = ('x',)"])
def test_instances(base: str, body: str) -> None:
    if base != "object" and body != "pass":
        body = "pass"
    result = trace(f"""
class C({base}): {body}
s, w = pair('ATTR_STORE', 'WRITE_END', 'x')
for _ in range(50):
    c = C()
    s[c] = 1; c.x = 1; w[w] = w
    del c
""")
    born = {event.container for event in result.of(RecordKind.BIRTH)}
    stored = [event.address for event in result.accesses]
    assert len(stored) == 50
    assert all(address in born for address in stored if stored.count(address) > 1)
    assert len(result.of(RecordKind.BIRTH)) >= 50 - len(set(stored))


VALUES = {
    "tuple": "(k, 1)",
    "long tuple": "tuple([k] * 30)",
    "list": "[k]",
    "dict": "{k: 1}",
    "set": "{k}",
    "instance": "C()",
    "slots": "Slots()",
    "namedtuple": "Pair(k, 1)",
    "long string": "str(k) * 200",
    "big int": "k + (1 << 200)",
    "complex": "complex(k, 1)",
    "function": "(lambda: k)",
    "exception": "ValueError(k)",
    "generator": "(x for x in [k])",
    "bytearray": "bytearray(k)",
}


@pytest.mark.parametrize("made", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("how", ["stored", "read"])
def test_a_value_at_an_address_used_again_is_another_one(made: str, how: str) -> None:
    hook = "s[c] = v; c[0] = v; w[w] = w" if how == "stored" else "c[0] = v; r[c] = c[0]"
    result = trace(f"""
import collections
class C: pass
class Slots: __slots__ = ('x',)
Pair = collections.namedtuple('Pair', 'a b')
s, w = pair('ITEM_STORE', 'WRITE_END', 0)
r = hook('ITEM_READ', 1, 0)
c = [None]
for k in range(50):
    v = {made}
    {hook}
    c[0] = v = None
""")
    assert len([event for event in result.accesses if isinstance(event.value, Object)]) == 50
    born: set[int] = set()
    met: set[int] = set()
    for event in result.events:
        if event.kind is RecordKind.BIRTH:
            born.add(event.container)
        elif isinstance(event.value, Object):
            address = event.value.address
            assert address not in met or address in born, "the same address, and no birth in between"
            met.add(address)
            born.discard(address)


def test_a_value_that_lives_is_not_born_again() -> None:
    result = trace("""
        r = hook('ITEM_READ', 1, 0)
        class C: pass
        values = [C(), (1, 2), "x" * 200, 1 << 100, [1], {1: 2}, {1}, len, 2j, b"y" * 200]
        for _ in range(300):
            for value in values:
                c = [value]
                r[c] = c[0]
            [object() for _ in range(10)]; {'a': {}}; (_, []); "a" * _; complex(_, 1); 1 << _; bytes(_)
        print(*map(id, values))
    """)
    living = {int(word) for word in result.output.split()}
    last = result.accesses[-1].seq
    assert len(living) == 10
    assert not living & {event.container for event in result.of(RecordKind.BIRTH) if event.seq < last}


def test_cells() -> None:
    result = trace("""
        s, w = pair('CELL_STORE', 'WRITE_END')
        def make():
            x = 1
            return lambda: x
        for _ in range(50):
            f = make()
            s[f.__closure__[0]] = 2; w[w] = w
            del f
    """)
    stored = [event.address for event in result.accesses]
    assert len(result.of(RecordKind.BIRTH)) >= 50 - len(set(stored))


def test_a_living_container_is_not_born_again() -> None:
    result = trace("""
        r = hook('ITEM_READ', 1, 0)
        l, d = [1], {0: 1}
        for _ in range(2000):
            r[l] = l[0]; r[d] = d[0]
            [[] for _ in range(10)]; {'a': {}}; object()
        print(id(l), id(d))
    """)
    living = {int(word) for word in result.output.split()}
    last = result.accesses[-1].seq  # at the end of the process they die, which 3.11 and 3.12 take for a birth
    assert not living & {event.container for event in result.of(RecordKind.BIRTH) if event.seq < last}


def test_births_between_recordings() -> None:
    result = trace("""
        s = hook('ITEM_STORE', 1, 0); w = hook('WRITE_END', 1)
        kept = [[1] for _ in range(100)]
        for l in kept: s[l] = 1; w[w] = w
        _probe.stop()
        del l, kept
        kept = [[1] for _ in range(100)]
        _probe.start()
        for l in kept: s[l] = 1; w[w] = w
    """)
    addresses = [event.address for event in result.accesses]
    again = set(addresses[:100]) & set(addresses[100:])
    assert again, "no address was used again: this test shows nothing"
    assert again <= {event.container for event in result.of(RecordKind.BIRTH)}


def test_deep_nesting_dies_without_overflow() -> None:
    trace("""
        makers = (lambda it: [it]), (lambda it: {0: it}), (lambda it: [{1: it}]), (lambda it: (it,))
        for make in makers:
            outer = None
            for _ in range(300000): outer = make(outer)
            del outer
    """)


def test_another_tool_that_watches_births() -> None:
    result = trace("""
        import tracemalloc
        h = hook('COMPUTE')
        tracemalloc.start()
        for i in range(20000): h[h] = i
        _probe.stop()
        _probe.start()
        print(sys.version_info >= (3, 13))
    """)
    assert (HeaderFlag.BIRTHS in result.flags) == (result.output.strip() == "False")


def test_tracemalloc_works_beside_the_probe() -> None:
    trace("""
        import tracemalloc
        tracemalloc.start()
        kept = [bytearray(1000) for _ in range(100)]
        assert tracemalloc.get_traced_memory()[0] > 100000
        tracemalloc.stop()
        del kept
        [[] for _ in range(100)]
    """)


@pytest.mark.parametrize("first", ["start", "stop"])
def test_births_that_tracemalloc_hides_are_not_claimed_to_be_seen(first: str) -> None:
    """Whether it is started within the recording, or before and stopped within it: the next recording is right."""
    traces = trace_twice(
        f"""
        import tracemalloc
        s, w = pair('ITEM_STORE', 'WRITE_END', 0)
        class Rows(list): pass
        def step():
            c = Rows([1])
            s[c] = 1; w[w] = w
        tracemalloc.{first}()
        step()
        tracemalloc.stop()
        second()
        s, w = pair('ITEM_STORE', 'WRITE_END', 0)
        for _ in range(50): step()
        """,
        ("-X", "tracemalloc") if first == "stop" else (),
    )
    if first == "start":  # 3.11 and 3.12: what wraps the allocator after us calls us
        assert (HeaderFlag.BIRTHS in traces[0].flags) == (sys.version_info < (3, 13))
    elif sys.version_info[:2] != (3, 13):  # of which some versions leave the tracer in its place
        assert HeaderFlag.BIRTHS not in traces[0].flags
    assert HeaderFlag.BIRTHS in traces[1].flags
    stored = [event.address for event in traces[1].accesses]
    assert len(stored) == 50
    assert len(traces[1].of(RecordKind.BIRTH)) >= 50 - len(set(stored))
