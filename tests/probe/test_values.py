"""How values and keys are named in records."""

import math
import re
import sys
from typing import cast

import pytest

from opcodetrace.spool.layout import RecordKind, Tag
from tests.probe.traced import trace, uncertain
from tests.windows import Object


def computed(*expressions: str) -> list[object]:
    """What COMPUTE records of these values."""
    stores = "\n".join(f"h[h] = {expression}" for expression in expressions)
    return [event.value for event in trace(f"h = hook('COMPUTE')\n{stores}").of(RecordKind.COMPUTE)]


def test_numbers() -> None:
    integers, floats = ["0", "-1", "2**63 - 1", "-2**63", "1 << 40"], ["1.5", "-0.0", "float('inf')"]
    values = computed(*integers, *floats, "True", "False", "None")
    assert values == [0, -1, 2**63 - 1, -(2**63), 1 << 40, 1.5, -0.0, math.inf, True, False, None]
    assert [type(value) for value in values[8:]] == [bool, bool, type(None)]
    assert math.copysign(1, cast(float, values[6])) == -1


def test_what_does_not_fit_is_named_by_type_and_identity() -> None:
    result = trace("""
        h = hook('COMPUTE')
        class Account:
            class Inner: pass
        kept = [2**63, 'x' * 129, 'é' * 65, b'y' * 129, Account(), Account.Inner(), Account, [], (1,)]
        for value in kept:
            h[h] = value
        print(*(id(value) for value in kept))
    """)
    addresses = [int(word) for word in result.output.split()]
    assert [event.value for event in result.of(RecordKind.COMPUTE)] == [
        Object(name, address)
        for name, address in zip(
            ["int", "str", "str", "bytes", "__main__.Account", "__main__.Account.Inner", "type", "list", "tuple"],
            addresses,
            strict=True,
        )
    ]


DESCRIBED = {
    "'w' * 130": "'" + "w" * 40 + "…' of 130 characters",
    "'日' * 100": "'" + "日" * 26 + "…' of 100 characters",
    "'a\\n\\'' * 70": "'" + "a\\n\\'" * 13 + "a…' of 210 characters",
    "b'\\xff' * 200": "b'" + "\\xff" * 19 + "…' of 200 bytes",
    "10**30": str(10**30),
    "-10**18 * 10**18": str(-(10**36)),
    "2**64": str(2**64),
    "-2**209": str(-(2**209)),
    "2**210": "int of 211 bits",
    "-2**5000": "negative int of 5001 bits",
    "()": "()",
    "(1,)": "(1,)",
    "(0, -1, 10**20, 1.5, 2.0, None, True, 'a', )": "(0, -1, 100000000000000000000, 1.5, 2.0, None, True, 'a')",
    "((1, ('x', (2,))), b'b', Plain())": "((1, ('x', <tuple>)), b'b', <Plain>)",
    "tuple(range(9))": "(0, 1, 2, 3, 4, 5, 6, 7, …) of 9 items",
    "('x' * 30,)": "('xxxxxxxxxxxxxxxx…',)",
    "tuple(['é' * 16] * 5)": "('éééééééééééééééé', 'éééééééééééééééé', 'ééé… of 5 items",
    "Point(1, 2)": "Point(1, 2)",
    "frozenset('ab')": "frozenset of 2 items",
    "Color.RED": "Color.RED",
    "Number.ONE": "Number.ONE",
    "(Color.RED,)": "(Color.RED,)",
    "[1, 'a', [2]]": "[1, 'a', <list>]",
    "list(range(20))": "[0, 1, 2, 3, 4, 5, 6, 7, …] of 20 items",
    "{'a': 1}": "1 item",
    "{1, 2}": "2 items",
    "bytearray(3)": "3 bytes",
    "Plain()": None,
    "Claims()": None,
}


def test_what_can_be_told_of_objects() -> None:
    stores = "\n".join(f"kept.append({expression}); h[h] = kept[-1]" for expression in DESCRIBED)
    result = trace(f"""
import collections, enum
class Plain: pass
class Color(enum.Enum):
    RED = 1
class Number(enum.IntEnum):
    ONE = 1
class Claims(metaclass=type('EnumType', (type,), {{}})):
    _name_ = 'of the class'
    _value_ = 1
Point = collections.namedtuple('Point', 'x y')
h, kept = hook('COMPUTE'), []
{stores}
h[h] = kept[0]
""")
    told = {event.address: (event.value, event.key) for event in result.of(RecordKind.DESCRIBE)}
    values = [event.value for event in result.of(RecordKind.COMPUTE)]
    assert all(isinstance(value, Object) for value in values)
    found = [told.get(value.address) for value in values if isinstance(value, Object)]
    changing = {"list", "dict", "set", "bytearray"}
    assert found == [
        None if text is None else (text, isinstance(value, Object) and value.type in changing)
        for text, value in zip([*DESCRIBED.values(), DESCRIBED["'w' * 130"]], values, strict=True)
    ]
    assert len(result.of(RecordKind.DESCRIBE)) < len(DESCRIBED) + 2


def test_a_new_object_at_the_same_address_is_described_anew() -> None:
    result = trace("""
        h = hook('COMPUTE')
        for i in range(100):
            h[h] = (i, 'of its own')
    """)
    told: dict[int, object] = {}
    shown = []
    for event in result.events:
        if event.kind is RecordKind.DESCRIBE:
            told[event.address] = event.value
        elif isinstance(event.value, Object):
            shown.append(told[event.value.address])
    assert shown == [f"({i}, 'of its own')" for i in range(100)]


@pytest.mark.parametrize(
    "text",
    ["", "a", "x" * 31, "x" * 32, "x" * 33, "x" * 128, "é", "€uro", "\U0001f40d", "é" * 64, "\ud800", "a\udcffb", "\0"],
)
def test_texts(text: str) -> None:
    # hashed already, and not hashed; as a value read twice
    assert computed(repr(text), f"(lambda: {text!r} + str())()", f"''.join(list({text!r}))") == [text] * 3


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.12 has no strings of Py_UNICODE")
def test_strings_whose_characters_lie_elsewhere() -> None:
    result = trace("""
        import ctypes
        make = ctypes.pythonapi.PyUnicode_FromUnicode
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_ssize_t]
        h, b, e = hook('COMPUTE'), *pair('ITEM_BEGIN', 'READ_END')
        for size in 3, 300:
            h[h] = make(None, size)
            b[{}] = make(None, size); e[e] = 0
    """)
    values = [event.value for event in result.of(RecordKind.COMPUTE)]
    keys = [event.key for event in result.of(RecordKind.READ)]
    assert [isinstance(named, Object) and named.type for named in values + keys] == ["str"] * 4


def test_a_name_of_an_operation_is_cut() -> None:
    name = "é" * 100
    result = trace(f"h = hook('SYNC_BEGIN', name={name!r})\nh[h] = h")
    assert [event.key for event in result.of(RecordKind.SYNC)] == ["é" * 64]


def test_bytes() -> None:
    assert computed("b''", "b'\\0\\xff'", "bytes(range(128))") == [b"", b"\0\xff", bytes(range(128))]


def test_a_text_is_written_once_as_long_as_the_thread_remembers_it() -> None:
    result = trace("h = hook('COMPUTE')\nfor _ in range(1000):\n    h[h] = 'again'")
    assert result.next < 1010
    assert {event.value for event in result.of(RecordKind.COMPUTE)} == {"again"}


def test_texts_that_meet_in_the_cache_stay_apart() -> None:
    result = trace("""
        h = hook('COMPUTE')
        for turn in range(3):
            for i in range(2000):
                h[h] = f'text {i}'
                h[h] = b'bytes %d' % i
    """)
    values = [event.value for event in result.of(RecordKind.COMPUTE)]
    assert values == [text for _ in range(3) for i in range(2000) for text in (f"text {i}", b"bytes %d" % i)]


def test_types_made_over_and_over_use_up_no_numbers() -> None:
    result = trace("""
        h = hook('COMPUTE')
        for i in range(3000):
            h[h] = type('Same', (), {})()
            h[h] = type(f'Other{i % 7}', (), {'__module__': 'm'})()
    """)
    names = [event.value.type for event in result.of(RecordKind.COMPUTE) if isinstance(event.value, Object)]
    assert names == [name for i in range(3000) for name in ("__main__.Same", f"m.Other{i % 7}")]
    assert len(result.types) < 20


def keys(program: str, *expressions: str) -> list[tuple[object, bool]]:
    """What ITEM_BEGIN and READ_END record of these keys of a dict, and whether they are marked uncertain."""
    reads = "\n".join(f"b[d] = {expression}; e[e] = 0" for expression in expressions)
    result = trace(f"{program}\nb, e = pair('ITEM_BEGIN', 'READ_END')\nd = {{}}\n{reads}")
    return [(event.key, uncertain(event)) for event in result.of(RecordKind.READ)]


def test_keys_that_are_equal_are_named_alike() -> None:
    program = """
import enum
class Count(int): pass
class Name(str): pass
class Word(enum.StrEnum):
    A = 'a'
class Number(enum.IntEnum):
    ONE = 1
"""
    expressions = "1 True 1.0 Count(1) Number.ONE -0.0 False 'a' Name('a') Word.A 1.5 None b'a'"
    found = keys(program, *expressions.split())
    assert found == [(key, False) for key in [1, 1, 1, 1, 1, 0, 0, "a", "a", "a", 1.5, None, b"a"]]


def test_keys_by_identity() -> None:
    program = """
import enum
class Plain: pass
class Equal:
    def __eq__(self, other): return True
    def __hash__(self): return 1
class Hashed(int):
    def __hash__(self): return 7
class Colour(enum.Enum):
    RED = 1
"""
    expressions = "Plain() Plain print.__class__ Equal() Hashed(1) Colour.RED 2**70 'x'*200 float('nan')"
    found = keys(program, *expressions.split())
    assert all(isinstance(key, Object) for key, _ in found)
    assert [marked for _, marked in found] == [False, False, False, True, True, False, True, True, True]


def test_tuples_as_keys() -> None:
    expressions = ["()", "(1,)", "(True, 2.0)", "('a', None)", "(('x', 1.5), b'y')", '("it\'s",)', "(0.1, 1e300)"]
    found = keys("", *expressions, "('x\\x01',)", "('x' * 200,)")
    assert found[:7] == [
        (("tuple", text), False)
        for text in ["()", "(1,)", "(1, 2)", "('a', None)", "(('x', 1.5), b'y')", "('it\\'s',)", "(0.1, 1e+300)"]
    ]
    assert all(isinstance(key, Object) and marked for key, marked in found[7:])


def test_tuples_of_what_is_equal_to_itself_alone() -> None:
    """By the address, from which on births there are watched."""
    program = "class Plain: pass\nplain, also = Plain(), Plain()"
    found = keys(
        program, "(Plain, 1)", "(plain, (1,))", "(plain, (1.0,))", "(also, (1,))", "(len,)", "(plain.__init__,)"
    )
    texts = [key[1] if isinstance(key, tuple) else key for key, _ in found]
    scrubbed = [re.sub("\x01[0-9a-f]+\x01", "@", text) for text in texts[:4] if isinstance(text, str)]
    assert scrubbed == ["(@Plain, 1)", "(@<Plain>, (1,))", "(@<Plain>, (1,))", "(@<Plain>, (1,))"]
    assert texts[1] == texts[2] != texts[3]
    assert [marked for _, marked in found] == [False, False, False, False, True, True]  # methods are equal to others


OWN_HASH = """
import collections
class Kept(tuple):  # as in cachetools; functools has the like of it as a list
    kept = None
    def __hash__(self, hash=tuple.__hash__):
        if self.kept is None:
            self.kept = hash(self)
        return self.kept
class Listed(list):
    __slots__ = 'kept'
    def __init__(self, items): self[:] = items; self.kept = hash(tuple(items))
    def __hash__(self): return self.kept
Point = collections.namedtuple('Point', 'x y')
class Word(bytes): pass
class Half(float): pass
"""


def test_keys_of_classes_that_are_equal_by_their_items() -> None:
    told = {
        "Point(1, 'a')": "(1, 'a')",
        "Kept([1, 'a'])": "(1, 'a')",
        "Kept([Point(1, 2), None])": "((1, 2), None)",
        "(Kept([1]), 2)": "((1,), 2)",
        "Listed([1, (True, b'x')])": "[1, (1, b'x')]",
        "(Word(b'x'), Half(0.5))": "(b'x', 0.5)",
    }
    assert keys(OWN_HASH, *told) == [(("tuple", text), False) for text in told.values()]
    assert keys(OWN_HASH, "Word(b'x')", "Half(0.5)", "Half(3)") == [(b"x", False), (0.5, False), (3, False)]


def test_frozensets_as_keys() -> None:
    told = {
        "frozenset()": "frozenset()",
        "frozenset([8, 'a', 1.0])": "frozenset({'a', 1, 8})",
        "frozenset([1, 'a', 8])": "frozenset({'a', 1, 8})",
        "(frozenset({'size': 3, 'name': None}.items()), 1)": "(frozenset({('name', None), ('size', 3)}), 1)",
        "frozenset({1, 2, 3} - {2})": "frozenset({1, 3})",
    }
    assert keys("", *told) == [(("tuple", text), False) for text in told.values()]


@pytest.mark.parametrize(
    "key",
    [
        "ById([1])",
        "ByObject([1])",
        "Inherited([1])",
        "Equal([1])",
        "(ById([1]), 1)",
        "ListById([1])",
        "Listed([[1]])",
        "Listed(['x' * 200])",
        "(((((1,),),),),)",
        "frozenset(range(100))",
        "frozenset([1, object().__init__])",
        "FrozenEqual([1])",
    ],
)
def test_keys_whose_items_do_not_tell_them_apart(key: str) -> None:
    program = """
class ById(tuple):
    def __hash__(self): return id(self)
class ByObject(tuple):
    def __hash__(self): return object.__hash__(self)
class Inherited(tuple): __hash__ = object.__hash__
class Equal(tuple):
    def __eq__(self, other): return self is other
    def __hash__(self): return 1
class ListById(list):
    def __hash__(self): return id(self)
class FrozenEqual(frozenset):
    def __eq__(self, other): return self is other
    def __hash__(self): return 1
"""
    if key == "Listed([[1]])":
        program += "import builtins; builtins.hash = lambda any: 1"
    ((named, is_uncertain),) = keys(OWN_HASH + program, key)
    assert isinstance(named, Object) and is_uncertain


def test_indexes_of_lists() -> None:
    result = trace("""
        class Stack(list): pass
        b, e = pair('ITEM_BEGIN', 'READ_END')
        slices = slice(None), slice(1, None), slice(-1, None), slice(0, 99, 2), slice(None, None, -1)
        for l in [1, 2, 3], Stack([1, 2, 3]):
            for index in (0, -1, True, -3, 3, -4, *slices):
                b[l] = index
                e[e] = 0
    """)
    whole = slice(0, 3)
    expected = [0, 2, 1, 0, whole, slice(1, 3), slice(2, 3), whole, whole]
    assert [event.key for event in result.of(RecordKind.READ)] == expected * 2
    assert result.missed == 0


def test_slices_by_bounds() -> None:
    result = trace("""
        bounds, begin, end = hook('SLICE_BOUNDS'), hook('SLICE_BEGIN'), hook('READ_END')
        store, done = hook('SLICE_STORE', 2), hook('WRITE_END', 2)
        class Index:
            def __index__(self): raise SystemExit
        l = [1, 2, 3]
        for start, stop in (None, None), (1, -1), (Index(), 3):
            bounds[start] = stop
            begin[l] = begin
            end[end] = []
            bounds[start] = stop
            store[l] = [7]
            done[done] = done
        begin[(1, 2)] = begin
        end[end] = (1,)
    """)
    assert [(event.kind.name, event.key) for event in result.accesses] == [
        (kind, key) for key in (slice(0, 3), slice(1, 2), Tag.ABSENT) for kind in ("READ", "WRITE")
    ]
