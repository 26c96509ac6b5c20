"""The objects that the weaver puts into co_consts."""

import pickle
import sys
from pathlib import Path
from types import CodeType

import pytest

from opcodetrace.probe import _probe
from opcodetrace.probe._probe import Code, Hook

PROTOCOL = Path(__file__).parents[2] / "docs" / "hook-protocol.md"
TABLE = PROTOCOL.read_text(encoding="utf-8").split("| action |")[1].split("\n\n")[0]
ACTIONS = [name for row in TABLE.splitlines()[2:] for name in row.split("|")[1].replace(",", "").split()]


def test_the_actions_are_those_of_the_protocol() -> None:
    assert len(ACTIONS) == 47
    assert [getattr(_probe, action) for action in ACTIONS] == list(range(len(ACTIONS)))


def test_a_hook() -> None:
    hook = Hook(7, _probe.ATTR_READ, "x")
    assert (hook.site, hook.action, hook.name) == (7, _probe.ATTR_READ, "x")
    assert repr(hook) == "Hook(7, ATTR_READ, 'x')"
    assert repr(Hook(0xFFFFFFFE, _probe.ENTER)) == "Hook(4294967294, ENTER)"
    assert pickle.loads(pickle.dumps(hook)).__reduce__() == hook.__reduce__()
    assert repr(pickle.loads(pickle.dumps(hook))) == repr(hook)
    hook["not"] = "recording"
    del hook["neither"]


@pytest.mark.parametrize(("action", "name"), [(-1, None), (len(ACTIONS), None)])
def test_no_such_action(action: int, name: object) -> None:
    with pytest.raises(ValueError, match="no such action"):
        Hook(1, action, name)


@pytest.mark.parametrize("action", ["ATTR_BEGIN", "ATTR_READ", "ATTR_STORE", "ATTR_DELETE", "NAME_READ", "ATTR_FAILED"])
def test_these_need_a_name(action: str) -> None:
    class Name(str):
        __slots__ = ()

    for name in None, 1, Name("x"):
        with pytest.raises(TypeError):
            Hook(1, getattr(_probe, action), name)


def test_code() -> None:
    table = bytes(24)
    code = Code(3, table, 8)
    assert (code.code_id, code.table, code.first_site) == (3, table, 8)
    assert repr(code) == "Code(3, <2 calls>)"
    assert pickle.loads(pickle.dumps(code)).__reduce__() == code.__reduce__()
    assert repr(pickle.loads(pickle.dumps(code))) == repr(code)
    with pytest.raises(ValueError, match="IHH"):
        Code(1, b"x")


def test_what_another_process_pickled_says_nothing() -> None:
    load, (stamp, *_) = Hook(7, _probe.ATTR_READ, "x").__reduce__()
    assert load(stamp ^ 1, 7, _probe.ATTR_READ, "x").__reduce__() == (load, (0, 7, _probe.ATTR_READ, "x"))
    load_code, (stamp, *_) = Code(3, bytes(24), 8).__reduce__()
    nowhere = 0xFFFFFFFF
    assert load_code(stamp ^ 1, 3, bytes(24), 8).__reduce__() == (load_code, (stamp, nowhere, bytes(24), nowhere))


@pytest.mark.parametrize("make", [lambda: Hook(1, _probe.COMPUTE, None), lambda: Code(1, b"")])
def test_they_never_die(make: object) -> None:
    assert callable(make)
    made = make()
    kept = [made] * 10
    count = sys.getrefcount(made)
    del kept
    if sys.version_info >= (3, 12):
        assert sys.getrefcount(made) == count
    assert count > 1 << 27


def test_as_constants_of_code() -> None:
    def function(x: int) -> int:
        return x + 1

    function.__code__ = function.__code__.replace(
        co_consts=(*function.__code__.co_consts, Hook(1, _probe.COMPUTE), Code(1, b""))
    )
    assert function(1) == 2
    assert hash(function.__code__) is not None


def test_kinds_of_variables() -> None:
    def function(a: int, *b: int, c: int = 1, **d: int) -> object:
        e = a

        def inner() -> int:
            return e + c

        return inner, b, d

    original = function.__code__
    woven = original.replace(co_name="woven")
    _probe.fix_kinds(original, woven)
    function.__code__ = woven
    assert function(1, 2, c=3, x=4)[0]() == 4  # type: ignore[index]
    other: CodeType = compile("x = 1", "", "exec")
    with pytest.raises(ValueError, match="variables"):
        _probe.fix_kinds(original, other)
    with pytest.raises(TypeError):
        _probe.fix_kinds(original, 1)  # type: ignore[arg-type]
