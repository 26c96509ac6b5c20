"""What is a location, and whose."""

import pytest

from opcodetrace.spool.layout import RecordFlag, RecordKind, Tag
from tests.probe.traced import trace, uncertain

CONTAINERS = """
import array, collections, gc, re, types
class Rows(list): pass
class Table(dict): pass
class Default(dict):
    def __missing__(self, key): return 0
class Served:
    def __getitem__(self, key): return 1
    def __setitem__(self, key, value): pass
    def __delitem__(self, key): pass
class ServedList(list):
    def __getitem__(self, key): return 1
    def __setitem__(self, key, value): pass
class ServedDict(dict):
    def __setitem__(self, key, value): dict.__setitem__(self, key, value)
Point = collections.namedtuple('Point', 'x y')
"""


@pytest.mark.parametrize(
    ("container", "reads", "writes"),
    [
        ("[1, 2]", True, True),
        ("{0: 1}", True, True),
        ("Rows([1, 2])", True, True),
        ("Table({0: 1})", True, True),
        ("Default()", True, True),
        ("collections.defaultdict(int)", True, True),
        ("collections.OrderedDict({0: 1})", True, True),
        ("collections.Counter([0])", True, True),
        ("collections.deque([1, 2])", True, True),
        ("bytearray(b'ab')", True, True),
        ("array.array('i', [1, 2])", True, True),
        ("memoryview(bytearray(b'ab'))", True, True),
        ("types.MappingProxyType({0: 1})", True, False),
        ("(1, 2)", False, False),
        ("Point(1, 2)", False, False),
        ("'ab'", False, False),
        ("b'ab'", False, False),
        ("range(3)", False, False),
        ("re.match('a', 'a')", False, False),
        ("list", False, False),
        ("list[int]", False, False),
        ("Served()", False, False),
        ("ServedList([1, 2])", False, False),
        ("ServedDict({0: 1})", True, False),
    ],
)
def test_subscripts(container: str, reads: bool, writes: bool) -> None:
    result = trace(f"""{CONTAINERS}
b, e = pair('ITEM_BEGIN', 'READ_END')
r = hook('ITEM_READ', 2, 0)
s, t, v, w = hook('ITEM_STORE', 3, 0), hook('ITEM_TARGET', 4), hook('ITEM_VALUE', 4), hook('WRITE_END', 3)
x = hook('WRITE_END', 4)
c = {container}
for _ in range(2):
    b[c] = 0; e[e] = 1
    r[c] = 1
    s[c] = 1; w[w] = w
    t[c] = 0; v[v] = 1; x[x] = x
print(id(gc.get_referents(c)[0] if type(c) is types.MappingProxyType else c))
""")
    found = [event.kind.name for event in result.accesses]
    assert found == (["READ"] * 2 * reads + ["WRITE"] * 2 * writes) * 2
    assert {event.address for event in result.accesses} <= {int(result.output)}
    assert result.missed == 0


@pytest.mark.parametrize(
    "owner", ["list", "dict", "deque", "bytearray", "OrderedDict", "defaultdict", "array", "memoryview"]
)
def test_subscripts_by_methods_of_a_type_that_the_object_is_not_of(owner: str) -> None:
    """In plain Python each raises TypeError: no access, and nothing to look into."""
    result = trace(f"""
        import array, collections
        owners = {{'array': array.array, 'memoryview': memoryview, **vars(collections), **vars(__builtins__)}}
        owner = owners[{owner!r}]
        names = '__getitem__', '__setitem__', '__delitem__'
        methods = {{name: getattr(owner, name) for name in names if hasattr(owner, name)}}
        bases = list, dict, set, bytearray, collections.deque
        others = [base for base in bases if not issubclass(owner, base)]
        things = [type('Borrower', (base,), methods)() for base in [object, *others]]
        named = type('collections.deque', (), {{'__getitem__': lambda self, key: 1, **methods}})()
        if not hasattr(owner, '__delitem__'):
            for thing in things:
                type(thing).__delitem__ = type(thing).__getitem__
        for key in ('a', 0, -1, slice(1), None):
            b, e = pair('ITEM_BEGIN', 'READ_END')
            r, s = hook('ITEM_READ', 2, key), hook('ITEM_STORE', 3, key)
            t, v, d, w = hook('ITEM_TARGET', 4), hook('ITEM_VALUE', 4), hook('ITEM_DELETE', 5), hook('WRITE_END', 9)
            for thing in [*things, named]:
                r[thing] = 1
                s[thing] = 1
                t[thing] = key; v[v] = 1
                b[thing] = key
                d[thing] = key
                try:
                    thing[key]
                except TypeError as error:
                    pass
                else:
                    assert thing is named
    """)
    assert result.accesses == []


def test_numpy_arrays_are_memory() -> None:
    pytest.importorskip("numpy")
    result = trace("""
        import numpy
        b, e = pair('ITEM_BEGIN', 'READ_END')
        a = numpy.zeros((2, 2))
        b[a] = (0, 1); e[e] = a[0, 1]
    """)
    assert [event.key for event in result.accesses] == [("tuple", "(0, 1)")]


CLASSES = """
import functools, threading, types
class Plain:
    shared = 0
    def method(self): pass
    @property
    def computed(self): return 1
    @functools.cached_property
    def cached(self): return 2
class Slotted:
    __slots__ = ('x',)
class Fallback:
    default = 0
    def __init__(self): self.x = 1
    def __getattr__(self, name): return 7
class Intercepted:
    def __init__(self): object.__setattr__(self, 'x', 1)
    def __getattribute__(self, name): return 7
class Guarded:
    def __setattr__(self, name, value): object.__setattr__(self, name, value)
    def __delattr__(self, name): object.__delattr__(self, name)
class Meta(type):
    @property
    def computed(cls): return 3
class WithMeta(metaclass=Meta):
    x = 1
class Shadow:
    def method(self): pass
class Borrower:
    x = Slotted.x
class TypeSet:
    __setattr__, __delattr__, __getattribute__ = type.__setattr__, type.__delattr__, type.__getattribute__
class ObjectMeta(type):
    __setattr__, __delattr__, __getattribute__ = object.__setattr__, object.__delattr__, object.__getattribute__
class OfObjectMeta(metaclass=ObjectMeta):
    x = 1
def frame():
    return sys._getframe()
def module():
    m = types.ModuleType('m')
    m.x = 1
    return m
def make(cls, **values):
    o = cls()
    for name, value in values.items():
        setattr(o, name, value)
    return o
"""


@pytest.mark.parametrize(
    ("instance", "name", "reads", "writes"),
    [
        ("make(Plain, x=1)", "x", True, True),
        ("Plain()", "shared", True, True),
        ("Plain()", "method", False, True),
        ("Plain()", "computed", False, False),
        ("Plain()", "cached", False, True),
        ("Plain()", "__class__", False, False),
        ("Plain()", "__dict__", False, False),
        ("make(Slotted, x=1)", "x", True, True),
        ("make(Shadow, method=1)", "method", True, True),
        ("Fallback()", "x", True, True),
        ("Fallback()", "default", True, True),
        ("Fallback()", "other", False, True),
        ("Intercepted()", "x", False, True),
        ("make(Guarded, x=1)", "x", True, False),
        ("Plain", "shared", True, True),
        ("Plain", "method", False, True),
        ("WithMeta", "x", True, True),
        ("WithMeta", "computed", False, False),
        ("int", "numerator", False, False),
        ("module()", "x", True, True),
        ("module()", "__dict__", False, False),
        ("make(threading.local, x=1)", "x", False, False),
        ("(lambda: 0)", "__name__", False, False),
        ("make(type('T', (BaseException,), {}), x=1)", "x", True, True),
        ("1", "real", False, False),
        ("Borrower()", "x", False, False),
        ("TypeSet()", "x", False, False),
        ("OfObjectMeta", "x", False, False),
        ("frame()", "f_trace_lines", False, False),
    ],
)
def test_attributes(instance: str, name: str, reads: bool, writes: bool) -> None:
    result = trace(f"""{CLASSES}
b, e = pair('ATTR_BEGIN', 'READ_END', {name!r})
o = {instance}
for _ in range(3):
    b[o] = b; e[e] = 1
s, w = pair('ATTR_STORE', 'WRITE_END', {name!r})
for _ in range(3):
    s[o] = 1; w[w] = w
d, w = pair('ATTR_DELETE', 'WRITE_END', {name!r}, 2)
d[o] = d; w[w] = w
print(id(vars(o)) if type(o) is types.ModuleType else id(o))
""")
    found = [event.kind.name for event in result.accesses]
    assert found == ["READ"] * 3 * reads + ["WRITE"] * 3 * writes + ["DELETE"] * writes
    assert {event.key for event in result.accesses} <= {Tag.NAME}
    assert {event.address for event in result.accesses} <= {int(result.output)}
    assert result.missed == 0


def test_attributes_by_one_hook_after_the_read() -> None:
    result = trace(f"""{CLASSES}
def read(o, name, site):
    h = hook('ATTR_READ', site, name)
    for _ in range(2):
        h[o] = getattr(o, name, None)
read(make(Plain, x=1), 'x', 1)
read(Plain(), 'computed', 2)
read(Plain(), 'method', 3)
read(Fallback(), 'x', 4)
read(Fallback(), 'other', 5)
read(Plain, 'shared', 6)
read(module(), 'x', 7)
m = module()
m.__getattr__ = lambda name: 9
read(m, 'y', 8)
read(Intercepted(), 'x', 9)
""")
    assert sorted({event.site for event in result.accesses}) == [1, 4, 6, 7]


def test_an_attribute_of_a_module_is_the_global_of_that_name() -> None:
    result = trace("""
        import __main__
        x = 1
        a, s = hook('ATTR_READ', 1, 'x'), hook('ATTR_STORE', 2, 'x')
        g = hook('GLOBAL_READ', 3, 'x')
        n = hook('NAME_STORE', 4, 'x')
        done = [hook('WRITE_END', site) for site in (2, 4)]
        a[__main__] = __main__.x
        s[__main__] = 2; __main__.x = 2; done[0][0] = 0
        g[g] = x
        n[n] = 3; x = 3; done[1][0] = 0
        print(id(globals()))
    """)
    assert [(event.kind.name, event.value) for event in result.accesses] == [
        ("READ", 1), ("WRITE", 2), ("READ", 2), ("WRITE", 3),
    ]  # fmt: skip
    assert {event.container for event in result.accesses} == {result.accesses[0].container}
    assert result.accesses[0].address == int(result.output)
    assert [bool(event.flags & RecordFlag.MODULE) for event in result.accesses] == [True, True, False, False]


def test_a_verdict_lasts_until_the_class_changes() -> None:
    result = trace("""
        class C: pass
        b, e = pair('ATTR_BEGIN', 'READ_END', 'x')
        o = C()
        o.x = 1
        def read():
            for _ in range(3):
                b[o] = b; e[e] = o.x
        read()
        C.x = property(lambda self: 5)
        read()
        del C.x
        read()
        def other(cls):
            p = cls()
            p.x = 2
            b[p] = b; e[e] = p.x
            b[cls] = b; e[e] = 0
        other(C)
        other(type('D', (), {'__setattr__': object.__setattr__}))
    """)
    assert [event.value for event in result.accesses] == [1, 1, 1, 1, 1, 1, 2, 0, 2, 0]


def test_names_in_class_bodies() -> None:
    result = trace("""
        import enum
        outer = 5
        r, s, w, d = hook('NAME_READ', 1, 'own'), hook('NAME_STORE', 2), hook('WRITE_END', 2), hook('NAME_DELETE', 3)
        f, x = hook('NAME_READ', 4, 'outer'), hook('WRITE_END', 3)
        class Body:
            s[s] = 1; own = 1; w[w] = w
            r[r] = own
            f[f] = outer
            d[d] = d
            del own
            x[x] = x
            print(id(locals()), id(globals()))
        class Colours(enum.Enum):
            s[s] = 1; RED = 1; w[w] = w
            f[f] = outer
    """)
    namespace, module = (int(word) for word in result.output.split())
    assert [(event.kind.name, event.address) for event in result.accesses] == [
        ("WRITE", namespace), ("READ", namespace), ("READ", module), ("DELETE", namespace),
    ]  # fmt: skip


def test_cells() -> None:
    result = trace("""
        r, s, w = hook('CELL_READ', 1, 'n'), hook('CELL_STORE', 2, 'n'), hook('WRITE_END', 2)
        d, x = hook('CELL_DELETE', 3, 'n'), hook('WRITE_END', 3)
        def outer():
            n = 1
            def inner():
                cell = inner.__closure__[-1]
                r[cell] = n
                s[cell] = 2; w[w] = w
                d[cell] = d; x[x] = x
                return n
            return inner
        inner = outer()
        inner()
        class Body:
            r[inner.__closure__[-1]] = 'not what the cell holds'
            r[inner.__closure__[-1]] = 1
    """)
    assert [(event.kind.name, event.value) for event in result.accesses] == [
        ("READ", 1), ("WRITE", 2), ("DELETE", Tag.ABSENT), ("READ", 1),
    ]  # fmt: skip
    assert {result.type_of(event) for event in result.accesses} == {"cell"}


def test_globals_are_of_the_frame_that_runs() -> None:
    result = trace("""
        code = "g[g] = x\\ns[s] = 2\\nw[w] = w\\nd[d] = d\\nu[u] = u\\nprint(id(globals()))"
        space = dict(x=1, g=hook('GLOBAL_READ', 1), s=hook('GLOBAL_STORE', 2), w=hook('WRITE_END', 2),
                     d=hook('GLOBAL_DELETE', 3), u=hook('WRITE_END', 3))
        exec(code, space)
    """)
    assert [(event.kind.name, event.value) for event in result.accesses] == [
        ("READ", 1), ("WRITE", 2), ("DELETE", Tag.ABSENT),
    ]  # fmt: skip
    assert {event.address for event in result.accesses} == {int(result.output)}


def test_markers() -> None:
    result = trace("""
        for number, action in enumerate(('ENTER', 'DEFINE', 'COMPUTE')):
            h = hook(action, number)
            h[h] = 3
    """)
    events = result.of(RecordKind.ENTER, RecordKind.DEFINE, RecordKind.COMPUTE)
    assert [(event.kind.name, event.site, event.value) for event in events] == [
        ("ENTER", 0, Tag.ABSENT), ("DEFINE", 1, Tag.ABSENT), ("COMPUTE", 2, 3),
    ]  # fmt: skip
    assert len({event.frame for event in events}) == 1
    assert not any(uncertain(event) for event in events)
