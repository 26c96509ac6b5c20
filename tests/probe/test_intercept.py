"""C functions that are seen from inside: which, and what they tell."""

from __future__ import annotations

import builtins
import collections
import types

import pytest

from opcodetrace.probe import _probe

SEEN = _probe.intercepted()
# What touches no item, or is not the container's: it makes another, or describes itself.
APART = {
    "__class_getitem__",
    "__sizeof__",
    "__reduce__",
    "__reduce_ex__",
    "__alloc__",
    "fromkeys",
    "maketrans",
}
TEXT_METHODS = set(dir(bytes)) - {"copy", "__getitem__", "__contains__"}  # bytearray's: they give another


@pytest.mark.parametrize(
    "owner", [list, dict, set, bytearray, collections.deque, collections.OrderedDict, collections.defaultdict]
)
def test_every_method_of_a_container_is_seen(owner: type) -> None:
    methods = {name for name, value in vars(owner).items() if isinstance(value, types.MethodDescriptorType)}
    seen = {name for type_name, name in SEEN if type_name == owner.__name__}
    seen -= {name for name, value in vars(owner).items() if isinstance(value, types.WrapperDescriptorType)} | {"|="}
    apart = APART | (TEXT_METHODS | {"copy", "resize"} if owner is bytearray else set())
    assert methods - seen - apart == set()
    assert seen <= methods


def test_builtins_that_reach_into_objects_are_seen() -> None:
    seen = {name for owner, name in SEEN if owner == "builtins"}
    assert seen >= {"len", "getattr", "setattr", "delattr", "hasattr", "vars"}
    assert seen <= set(dir(builtins))


def test_the_functions_stay_what_they_are() -> None:
    """Nobody can tell by the objects that programs have."""
    import subprocess
    import sys

    program = """
import _thread, inspect, pickle, sys, tempfile
from opcodetrace.probe import _probe
from opcodetrace.spool.window import Window
lock = _thread.allocate_lock()
items = []
def look():
    things = (list.append, items.append, len, setattr, dict.get, lock.acquire, type(lock), lock.__enter__)
    return [(id(each) if each in (list.append, len, setattr, dict.get) else 0, repr(each).split(" at ")[0],
             getattr(each, "__doc__", 0), getattr(each, "__text_signature__", 0)) for each in things]
def refused(function):
    try:
        function()
    except Exception as error:
        return type(error), str(error)
def mistakes():
    return [refused(f) for f in (lambda: items.append(), lambda: {}.get(), lambda: len(1), lambda: setattr(1, 2, 3),
                                 lambda: lock.release(), lambda: lock.acquire(1, 2, 3), lambda: [].pop(),
                                 lambda: pickle.dumps(lock), lambda: getattr(1, 'x'), lambda: {}.pop('k'))]
before = look(), mistakes()
with tempfile.TemporaryDirectory() as folder, Window.create(folder + "/window"):
    _probe.attach(folder + "/window")
    _probe.start()
    for _ in range(100):  # the interpreter specialises its instructions
        during = look(), mistakes()
    _probe.stop()
    after = look(), mistakes()
assert before == during == after, (before, during, after)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_classes_made_meanwhile_have_the_slots_that_they_would_have() -> None:
    """The wrappers of slots are asked for when a class inherits: see wrapper_of in probe/intercept.c."""
    import subprocess
    import sys

    program = """
import collections, ctypes, tempfile
from opcodetrace.probe import _probe
from opcodetrace.spool.window import Window
BASES = (object, list, dict, set, bytearray, collections.deque, collections.OrderedDict, collections.defaultdict, type)
def slots(base, namespace):
    made = type("Made", (base,), dict(namespace))
    word = lambda address, count: tuple((ctypes.c_size_t * count).from_address(address))
    fields = word(id(made), HEAD + 17)
    number, sequence, mapping, getattro, setattro = (fields[HEAD + n] for n in (9, 10, 11, 15, 16))
    length, subscript, store = word(mapping, 3)
    # 3.14 gives subclasses of list and dict the slot itself for mp_subscript if __getitem__ is the very C function;
    # while it is replaced they get the slot that calls the method, which 3.11 to 3.13 give them always.
    return word(number, 36), word(sequence, 10), length, store, getattro, setattro
def look():
    return [slots(base, namespace) for base in BASES for namespace in (
        {}, {"__ior__": lambda *given: None}, {"__ior__": base.__ior__} if hasattr(base, "__ior__") else {},
        {"__len__": lambda self: 0}, {"__len__": base.__len__} if hasattr(base, "__len__") else {},
        {"__setattr__": base.__setattr__}, {"__setitem__": lambda *given: None})]
before = look()
with tempfile.TemporaryDirectory() as folder, Window.create(folder + "/window"):
    _probe.attach(folder + "/window")
    _probe.start()
    during = look()
    _probe.stop()
assert before == during == look()
""".replace("HEAD", str(object.__basicsize__ // 8 + 1))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_another_tool_put_in_place_since_stays() -> None:
    """It took our function for the original and calls it: that goes on to the real one, and tells nothing any more."""
    import subprocess
    import sys

    program = """
import ctypes, tempfile
from opcodetrace.probe import _probe
from opcodetrace.spool.window import Window
METHOD = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
def place(method):
    definition = ctypes.c_size_t.from_address(id(method) + object.__basicsize__ + 24).value
    return ctypes.c_size_t.from_address(definition + 8)
clear, reverse = place(list.clear), place(list.reverse)
calls = []
def wrapped(place):
    original = METHOD(place.value)
    def function(self, argument):
        calls.append(place.value)
        return original(self, argument)
    return METHOD(function)
def recorded(body):
    with tempfile.TemporaryDirectory() as folder, Window.create(folder + "/window") as window:
        _probe.attach(folder + "/window")
        _probe.start()
        body()
        _probe.stop()
        _probe.detach()
plain = clear.value, reverse.value
def wrap():
    global other
    assert plain[0] != clear.value and plain[1] != reverse.value
    other = wrapped(clear)
    clear.value = ctypes.cast(other, ctypes.c_void_p).value
recorded(wrap)
wrapper = ctypes.cast(other, ctypes.c_void_p).value
assert clear.value == wrapper and reverse.value == plain[1]
items = [1]
items.clear()
assert items == [] and len(calls) == 1
def again():
    assert clear.value == wrapper  # it has ours inside of it still
    items.append(2)
    items.clear()
    assert items == [] and len(calls) == 2
recorded(again)
assert clear.value == wrapper
clear.value = plain[0]  # the other tool is gone, and put back what it should not have known
recorded(lambda: [1].clear())
assert clear.value == plain[0]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
