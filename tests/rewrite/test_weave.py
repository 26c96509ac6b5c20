"""Every construct of the language, woven: taking the hooks out leaves the original, and it computes the same."""

import itertools
import sys
from types import CodeType, FunctionType

import pytest

from opcodetrace.probe import _probe
from opcodetrace.rewrite import weave as weave_module
from opcodetrace.rewrite.decode import decode
from opcodetrace.rewrite.flow import FlowError
from opcodetrace.rewrite.unweave import UnweaveError, check
from opcodetrace.rewrite.weave import Weaver
from opcodetrace.spool.messages import Message
from opcodetrace.trace.site import Code, Flow, Site

PROGRAMS = {
    "generators and coroutines": """
        import asyncio
        def numbers(box):
            for i in range(3):
                box[0] += (yield box[0])or i
        async def task(box):
            async with Context() as c:
                async for i in agen():
                    box[0] += i + c
            return box[0]
        class Context:
            async def __aenter__(self): return 1
            async def __aexit__(self, *a): return None
        async def agen():
            for i in range(2):
                yield i
        box = [0]
        g = numbers(box)
        result = [next(g), g.send(5), g.send(None), asyncio.run(task(box)), box]
        """,
    "comprehensions": """
        def outer():
            x = "free x"; y = "free y"
            def f():
                a = [x for x in range(3)]
                def g(): return y
                return a, g(), x, {k: v for k, v in zip("ab", a)}, {i for i in a}, sum(i for i in a)
            return f()
        result = outer()
        """,
    "try, except*, finally, with": """
        class C:
            def __enter__(self): return self
            def __exit__(self, *a): return a[0] is KeyError
        def f(n):
            out = {"n": 0}
            for i in range(n):
                try:
                    try:
                        raise ValueError(i)
                    except ValueError as error:
                        out["n"] += 1
                        raise KeyError from None
                except KeyError:
                    continue
                finally:
                    out["n"] += 1
            with C() as c, C():
                c.x = out["n"]
                raise KeyError
            try:
                raise ExceptionGroup("g", [ValueError(1), TypeError(2)])
            except* ValueError as group:
                out["v"] = len(group.exceptions)
            except* TypeError:
                out["t"] = 1
            return out, c.x
        result = f(100)
        """,
    "accesses that fail": """
        import traceback
        class C:
            def __enter__(self): return self
            def __exit__(self, kind, error, tb):
                told.append((kind.__name__, error.__context__ is None, tb.tb_lineno, tb.tb_next is None))
                return kind is not NameError
        class Asked:
            def __init__(self): self.there = 1
            def __getattr__(self, name): return self.there if name == "made" else self.there.nothing_such
        told = []
        def items(d, key, c):
            with C():
                d[
                    key
                ] += c.x
            with C(): c.x
            with C(): del c.x
            with C(): del d[key]
            with C(): d["k"][5] = 1
            with C():
                try: d[key]
                finally:
                    try: c.y
                    except AttributeError as error: told.append(type(error.__context__).__name__)
            for k in [1, 2, 3]:
                try:
                    d[k] += 1
                except KeyError as error:
                    told.append((error.args, error.__traceback__.tb_lineno))
                    d[k] = k
                    continue
                else:
                    break
            return [k for k in d if k], sorted(map(str, d))
        def changing(d):
            for k in d:
                d[k, k] = 1
        def numbers(d):
            while True:
                try:
                    yield d["no"]
                except KeyError as error:
                    try:
                        yield error.args
                    except IndexError as thrown:
                        told.append((type(thrown.__context__).__name__, thrown.__traceback__.tb_lineno))
                        yield d["other"]
        def nested():
            def inner(): return cell
            cell = 1
            del cell
            return inner()
        def missing(): return not_there_at_all
        def asked(): return Asked().made, Asked().other
        class Hot:
            def __init__(self): self.n = 0
            def __getitem__(self, key):
                self.n += 1
                return {0: self.n}[key]
            @property
            def broken(self):
                self.n += 1
                return self.nothing_such
            def __getattribute__(self, name):
                return object.__getattribute__(self, name)
        def hot(d, row, plain, one):
            out = []
            for i in range(300):
                for form in range(6):
                    kept = [1, i]
                    try:
                        if form == 0: kept += [2, one[i % 2]]
                        elif form == 1: kept += [one.broken, 3]
                        elif form == 2: kept += [row[i % 4], d[i]]
                        elif form == 3: d[i % 3] += 1
                        elif form == 4: kept += [plain.a + i, plain.missing]
                        else: kept.append([plain.a, row[one.n % 2], not_there_at_all])
                    except (LookupError, AttributeError, NameError) as error:
                        trace = error.__traceback__
                        kept.append((type(error).__name__, error.args, trace.tb_lineno, trace.tb_next is None))
                        d.pop(i % 3 - 1, None)
                    out.append(kept)
            return out
        plain = C()
        plain.a = 1
        def caught(f, *args):
            try:
                return f(*args)
            except Exception as error:
                text = "".join(traceback.format_exception(error))
                return [line for line in text.splitlines() if "^" not in line]  # of woven code's positions
        numbered = numbers({})
        result = [
            caught(items, {"k": []}, "none", C()), caught(changing, {1: 1}),
            caught(nested), caught(missing), caught(asked),
            next(numbered), caught(numbered.throw, IndexError("i")), caught(next, numbered), told,
            hot({}, [1, 2], plain, Hot()),
        ]
        """,
    "match": """
        class P:
            __match_args__ = ("x", "y")
            def __init__(self, x, y): self.x, self.y = x, y
        def f(v):
            match v:
                case [a, *rest] if a: return ("seq", a, rest)
                case {"k": k, **others}: return ("map", k, others)
                case P(x, y=0): return ("class", x)
                case P(x=1 | 2 as n): return ("or", n)
                case str() | None: return ("none",)
            return ("other", v)
        result = [f(v) for v in ([1, 2, 3], {"k": 1, "z": 2}, P(5, 0), P(2, 1), None, 7)]
        """,
    "classes, super, descriptors, slots": """
        class A:
            total = 0
            count: int = 0
            def __init__(self): self.x = 1; A.total += 1
            @property
            def p(self): return self.x
            @p.setter
            def p(self, v): self.x = v
        class B(A):
            __slots__ = ("s",)
            def __init__(self): super().__init__(); self.s = self.x; self.p += 4; del self.s
            def m(self): return __class__.__name__, self.p
        result = [B().m(), B().p, A.total]
        """,
    "globals, cells, del, augmented everything": """
        import operator
        hits = 0
        def f():
            global hits, gone
            hits += 1; gone = 1; del gone
            total = 0; other = [1, 2, 3, 4]
            def g():
                nonlocal total
                total += 1
                total <<= 2
                return total
            g(); g()
            other[1:3] = [9]; other[::2] = [7, 8]; del other[0]; other[-1] @= M() if False else other[-1] and M()
            d = {}
            d["a"] = d["b"] = 1; d["a"] **= 3; d["b"] //= 2; del d["b"]
            s = ""
            for i in range(5): s += str(i)
            return total, other[:1], d, s, hits, (lambda *a, k=1, **kw: (a, k, kw))(1, z=2)
        class M:
            def __rmatmul__(self, o): return o
        result = f()
        """,
    "a very large function": "def f(a):\n    r = 0\n"
    + "".join(f"    r += a.attr{i}; a.b[{i}] = r\n" for i in range(700))
    + """
    try:
        v = missing()
    except NameError:
        return r, len(a.b)
    return v
class A:
    def __init__(self): self.b = {}
    def __getattr__(self, name): return 1
result = f(A())
""",
    "a loop whose body needs long jumps": "def f(c):\n    for i in range(3):\n        if i == 5: continue\n"
    + "        c[0] += 1; c[1] = c[0]\n" * 400
    + "    return c\nresult = f([0, 0])\n",
}
if sys.version_info >= (3, 12):
    PROGRAMS["type parameters"] = """
        class Box[T]:
            def __init__(self, v: T): self.v = v
            def map[U](self, f) -> "Box[U]": self.v = f(self.v); return self
        type Pair[A] = tuple[A, A]
        result = [Box(1).map(str).v, str(Pair.__value__)]
        """


def _dedented(source: str) -> str:
    import textwrap

    return textwrap.dedent(source)


def _weave(source: str) -> tuple[CodeType, CodeType, list[Code]]:
    sent: list[Message] = []
    code = compile(source, "program.py", "exec")
    woven = Weaver(sent.append, _probe).weave_module(code, "program.py", "program", source.encode())
    return code, woven, [message for message in sent if isinstance(message, Code)]


def _result(code: CodeType) -> object:
    namespace: dict[str, object] = {"__name__": "program"}
    exec(code, namespace)
    return namespace["result"]


def _nested(code: CodeType) -> list[CodeType]:
    found = [code]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += _nested(constant)
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_woven_code_computes_the_same(name: str) -> None:
    code, woven, codes = _weave(_dedented(PROGRAMS[name]))
    assert [each.unwoven for each in codes if each.unwoven] == []
    assert _result(woven) == _result(code)


@pytest.mark.parametrize("name", PROGRAMS)
def test_lines_and_positions_stay(name: str) -> None:
    code, woven, _ = _weave(_dedented(PROGRAMS[name]))
    for old, new in zip(_nested(code), _nested(woven), strict=True):
        assert _lines(old) == _lines(new)


def _lines(code: CodeType) -> list[int]:
    """Without repeats: the woven code's may be split, as the table's entries hold eight units at most. The hooks at a
    function's entry are on no line, so that no line event comes of them."""
    lines = [line for *_, line in code.co_lines() if line is not None]
    return [line for line, _ in itertools.groupby(lines)]


def test_tracebacks_name_the_same_lines() -> None:
    source = "def f(c):\n    x = (\n        c[0]\n        + c[\n            5\n        ]\n    )\n    return x\n"
    found = []
    for code in _weave(source)[:2]:
        namespace: dict[str, object] = {}
        exec(code, namespace)
        f = namespace["f"]
        assert isinstance(f, FunctionType)
        try:
            f([1])
        except IndexError as error:
            assert error.__traceback__ is not None and error.__traceback__.tb_next is not None
            traceback = error.__traceback__.tb_next
            positions = list(traceback.tb_frame.f_code.co_positions())[traceback.tb_lasti // 2]
            found.append((traceback.tb_lineno, positions))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["try, except*, finally, with", "accesses that fail"])
def test_line_events_are_the_same(name: str) -> None:
    source = _dedented(PROGRAMS[name])
    traces = []
    for code in _weave(source)[:2]:
        events: list[tuple[str, int]] = []

        def trace(frame: object, event: str, arg: object, events: list[tuple[str, int]] = events) -> object:
            if frame.f_code.co_filename == "program.py":  # type: ignore[attr-defined]
                events.append((event, frame.f_lineno))  # type: ignore[attr-defined]
            return trace

        before = sys.gettrace()
        sys.settrace(trace)  # type: ignore[arg-type]
        try:
            _result(code)
        finally:
            sys.settrace(before)
        traces.append(events)
    assert traces[0] == traces[1]


def test_check_sees_every_change() -> None:
    source = "def f(c):\n  for i in range(3):\n    try:\n      c[0] += i\n    except KeyError:\n      pass\n"
    code, woven, _ = _weave(source)
    (old,) = (each for each in code.co_consts if isinstance(each, CodeType))
    (new,) = (each for each in woven.co_consts if isinstance(each, CodeType))
    check(old, new, _probe)
    first = len(old.co_consts)
    changes: list[dict[str, object]] = [
        {"co_names": ("other",) if old.co_names != ("other",) else ()},
        {"co_consts": (*old.co_consts[:-1], "another", *new.co_consts[first:])},
        {"co_consts": (*new.co_consts, 1)},
        {"co_code": new.co_code.replace(bytes((_opcode("BINARY_OP"), 13)), bytes((_opcode("BINARY_OP"), 23)))},
        {"co_exceptiontable": b""},
        {"co_firstlineno": old.co_firstlineno + 1},
        {"co_stacksize": 1},
        {"co_linetable": old.co_linetable},
    ]
    for change in changes:
        damaged = new.replace(**change)  # type: ignore[arg-type]
        with pytest.raises((UnweaveError, ValueError)):
            check(old, damaged, _probe)


def test_check_sees_every_change_of_a_trap() -> None:
    code, woven, _ = _weave("def f(c):\n  try:\n    return c.x\n  except KeyError:\n    c.y = 1\n")
    (old,) = (each for each in code.co_consts if isinstance(each, CodeType))
    (new,) = (each for each in woven.co_consts if isinstance(each, CodeType))
    check(old, new, _probe)
    decoded = decode(new)
    entries = new.co_exceptiontable
    of_traps = [
        place
        for place, handler in zip(_entries(entries), decoded.handlers, strict=True)
        if any(
            each.name == "LOAD_CONST" and getattr(new.co_consts[each.arg], "action", -1) >= _probe.FAILED
            for each in decoded.instructions[handler.target : handler.target + 2]
        )
    ]
    assert len(of_traps) == 2  # of c.x and c.y
    (last,) = (i for i in decoded.instructions if i.stop == len(new.co_code) // 2)
    assert (last.name, last.arg) == ("RERAISE", 1)
    swallowing = bytearray(new.co_code)
    swallowing[2 * last.at] = _opcode("POP_TOP")
    elsewhere = bytearray(new.co_code)
    elsewhere[2 * last.at + 1] = 0
    damages = [
        {"co_code": bytes(swallowing)},
        {"co_code": bytes(elsewhere)},
        *({"co_exceptiontable": entries[:i] + entries[i + size :]} for i, size in of_traps),
    ]
    for damage in damages:
        with pytest.raises((UnweaveError, ValueError)):
            check(old, new.replace(**damage), _probe)  # type: ignore[arg-type]


def _entries(table: bytes) -> list[tuple[int, int]]:
    """Where each entry of an exception table begins, and its size."""
    starts = [i for i, byte in enumerate(table) if byte & 128]
    return [(start, stop - start) for start, stop in itertools.pairwise([*starts, len(table)])]


def _opcode(name: str) -> int:
    from opcodetrace.rewrite.interpreters import NUMBER

    return NUMBER[name]


def test_what_cannot_be_woven_runs_as_it_is_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(original: CodeType, woven: CodeType, probe: object, before: object) -> None:
        if original.co_name == "f":
            raise UnweaveError("a reason")

    monkeypatch.setattr(weave_module, "check", refuse)
    code, woven, codes = _weave("def f(c):\n    c[0] += 1\n    return c\ndef g(c):\n    c[0] += 1\nresult = f([1])\n")
    assert _result(woven) == [2]
    assert {each.function: each.unwoven for each in codes} == {
        "f": "its bytecode could not be rewritten: UnweaveError, a reason",
        "g": None,
        "<module>": None,
    }
    assert code.co_consts[0].co_code == woven.co_consts[0].co_code


def _accesses(source: str, function: str) -> list[tuple[str, str | None]]:
    (code,) = (each for each in _weave(source)[2] if each.function == function)
    sites = [Site(*each) for each in code.sites]
    return [(site.operation, site.name) for site in sites if site.operation not in ("ENTER", "DEFINE")]


def test_variables_assigned_once_are_not_watched() -> None:
    source = "import os\nLIMIT = 3\nhits = 0\ndef f():\n    global hits\n    hits += LIMIT\n    return os\n"
    assert _accesses(source, "f") == [("LOAD_GLOBAL", "hits"), ("STORE_GLOBAL", "hits")]
    assert [name for _, name in _accesses(source, "<module>")] == ["hits"]


def test_cells_assigned_once_are_not_watched() -> None:
    source = (
        "def f(box):\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n        return box\n    return g\n"
    )
    assert _accesses(source, "f.<locals>.g") == [("LOAD_DEREF", "n"), ("STORE_DEREF", "n")]


LINES = [
    "d['k{i}'] = d['k{i}'] + {i}",
    "d['s'] += {i}",
    "d.a{i} += 1",
    "d['k{i}'] = d.get('k{i}', 0) + {i}; d['s'] += {i}",
    "if d: d['k{i}'] = d['k{i}'] + {i}",
]


HEADS = ["def f(d):", "def f(d):\n  for x in d:", "def f(d):\n while d:\n  with d.x:"]


@pytest.mark.parametrize(
    ("head", "line"), [*((HEADS[2], line) for line in LINES), *((head, LINES[3]) for head in HEADS[:2])]
)
def test_functions_with_many_updates_are_followed(head: str, line: str) -> None:
    source = head + "\n" + "".join(f"    {line.format(i=i)}\n" for i in range(600))
    (code,) = (each for each in _weave(source)[2] if each.function == "f")
    assert (code.unwoven, code.flow) == (None, "full")
    writes = [site for site in map(Site._make, code.sites) if site.operation.startswith("STORE")]
    assert len(writes) >= 600
    assert all(site.flow is not None and Flow._make(site.flow).reads for site in writes)


def test_a_value_beyond_the_budget_is_inferred_and_said() -> None:
    source = "def f(d, x):\n    d[0] = d[0] + " + " + ".join(["x"] * 200) + "\n    d[1] = d[1] + 1\n"
    (code,) = (each for each in _weave(source)[2] if each.function == "f")
    assert (code.unwoven, code.flow) == (None, "budget")
    flows = [site.flow for site in map(Site._make, code.sites) if site.operation.startswith("STORE")]
    assert [(Flow._make(flow).reads != (), Flow._make(flow).opaque) for flow in flows if flow is not None] == [
        (False, True),
        (True, False),
    ]


def test_a_function_whose_stack_cannot_be_followed_is_woven_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise FlowError("a reason")

    monkeypatch.setattr(weave_module, "analyse", refuse)
    _, woven, codes = _weave("def f(c):\n    c[0] += 1\n    return c\nresult = f([1])\n")
    assert _result(woven) == [2]
    assert {each.function: (each.unwoven, each.flow) for each in codes} == {
        "f": (None, "none"),
        "<module>": (None, "none"),
    }


CALLED = """
class Job:
    def __init__(self, first, then): self.first, self.then = first, then
    def stop(self): self.then = None
    def run(self):
        self.first()
        self.then()
        self.stop()
        self.text().upper()
    def text(self): return "a"
"""


def test_attributes_that_are_called_are_hooked_if_they_are_assigned_elsewhere_than_in_init() -> None:
    assert [name for operation, name in _accesses(CALLED, "Job.run") if operation == "LOAD_ATTR"] == ["then"]
