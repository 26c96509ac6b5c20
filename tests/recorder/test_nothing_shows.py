"""What a program can see of the interpreter that it runs in is the same, recorded or not.

What is not the same is in docs/how-it-works.md, "What a program can see"."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest

from tests.recording import Scripts, environment

PROGRAM = r'''
import sys
early = list(sys.modules)
import _thread, _warnings, atexit, bdb, builtins, copyreg, faulthandler, gc, importlib.util, json, linecache, operator
import os, re, resource, signal, threading, tracemalloc, types, warnings

VOLATILE_FLAG = 1 << 19  # Py_TPFLAGS_VALID_VERSION_TAG: whether the type was asked lately

def scrubbed(text):
    return re.sub(r"0x[0-9a-f]+", "0x", text)

def is_ours(module):
    return str(module).startswith(("opcodetrace", "bytecode"))

def described(value):
    if isinstance(value, (str, int, float, type(None), bytes)):
        return repr(value)
    if isinstance(value, (types.FunctionType, type)):
        return f"{type(value).__name__} {value.__module__}.{value.__qualname__}"
    if isinstance(value, (types.BuiltinFunctionType, types.ModuleType, importlib.machinery.ModuleSpec)):
        return scrubbed(repr(value))
    return type(value).__qualname__

def of_module(module):
    return sorted((name, described(value)) for name, value in vars(module).items())

def of_type(cls):
    return [cls.__flags__ & ~VOLATILE_FLAG, cls.__basicsize__, sorted(vars(cls))]

def types_of(module):
    return {name: of_type(value) for name, value in vars(module).items() if isinstance(value, type)}

def frames():
    frame, found = sys._getframe(1), []
    while frame is not None:
        code, names = frame.f_code, frame.f_globals
        found.append([code.co_name, code.co_filename, frame.f_lineno, names.get("__name__"), names.get("__file__"),
                      sorted(frame.f_locals)])
        frame = frame.f_back
    return found

def watched(install, action):
    """What a trace or profile function is told of it."""
    found = []
    def watch(frame, event, argument):
        code = frame.f_code
        found.append([event, code.co_name, os.path.basename(code.co_filename), frame.f_lineno,
                      frame.f_globals.get("__name__")])
        return watch
    install(watch)
    try:
        action()
    finally:
        install(None)
    return found

class Debugger(bdb.Bdb):
    def __init__(self):
        super().__init__(skip=["importlib*"])
        self.stops = []
    def user_line(self, frame):
        self.stops.append([frame.f_code.co_name, os.path.basename(frame.f_code.co_filename), frame.f_lineno])

def debugged(action):
    debugger = Debugger()
    debugger.runcall(action)
    return debugger.stops

state = {}
import walked
state["frames"] = walked.found
for install in (sys.settrace, sys.setprofile):
    for name in ("traced", "package.part"):
        sys.modules.pop(name, None)
        state[f"{install.__name__} {name}"] = watched(install, lambda: importlib.import_module(name))
sys.modules.pop("traced")
state["debugger"] = debugged(lambda: __import__("traced"))
state["early"] = early
state["modules"] = list(sys.modules)
state["in modules"] = {name: of_module(module) for name, module in list(sys.modules.items())
                       if name not in ("__main__", "sys")}
state["types"] = {name: types_of(sys.modules[name]) for name in
                  ("builtins", "operator", "_operator", "collections", "_thread", "threading", "types", "traced", "_io")
                  if name in sys.modules}
state["subclasses"] = [[cls.__module__, cls.__qualname__] for cls in threading.Thread.__subclasses__()]
state["sys"] = {name: scrubbed(repr(value)) for name, value in vars(sys).items()
                if isinstance(value, (str, int, float, bytes, tuple, list, type(None)))}
state["sys asked"] = {name: repr(getattr(sys, name)()) for name in (
    "getrecursionlimit", "getswitchinterval", "gettrace", "getprofile", "getdlopenflags", "get_asyncgen_hooks",
    "get_coroutine_origin_tracking_depth", "get_int_max_str_digits", "is_finalizing", "getfilesystemencoding")}
if hasattr(sys, "monitoring"):
    state["monitoring"] = [[sys.monitoring.get_tool(tool), tool < 6 and sys.monitoring.get_tool(tool) and
                            sys.monitoring.get_events(tool)] for tool in range(6)]
state["gc"] = [gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks, gc.garbage, gc.get_freeze_count()]
state["ours in gc"] = sum(is_ours(getattr(type(each), "__module__", None)) or
                          type(each) is types.ModuleType and is_ours(each.__name__) for each in gc.get_objects())
state["threads"] = [[thread.name, thread.daemon] for thread in threading.enumerate()]
state["frames of threads"] = [_thread._count(), len(sys._current_frames())]
state["tasks"] = len(os.listdir("/proc/self/task"))
state["descriptors"] = sorted((int(fd), os.readlink(f"/proc/self/fd/{fd}").split(":")[0])
                              for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}"))
state["signals"] = {number: repr(signal.getsignal(number)) for number in sorted(signal.valid_signals())}
state["mask"] = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))
state["wakeup"] = signal.set_wakeup_fd(-1)
state["timers"] = [signal.getitimer(which) for which in (0, 1, 2)]
state["environment"] = dict(os.environ)
state["limits"] = [resource.getrlimit(value) for name, value in vars(resource).items() if name.startswith("RLIMIT")]
state["process"] = [os.getcwd(), os.nice(0), sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0), os.umask(0o22)]
state["hooks"] = [atexit._ncallbacks(), faulthandler.is_enabled(), tracemalloc.is_tracing(),
                  sorted(map(str, copyreg.dispatch_table)), sorted(linecache.cache), repr(warnings.filters),
                  repr(_warnings.filters), sorted(sys.path_importer_cache),
                  [hook.__name__ for hook in sys.path_hooks], sys.excepthook is sys.__excepthook__,
                  sys.unraisablehook is sys.__unraisablehook__, threading.excepthook is threading.__excepthook__,
                  sys.displayhook is sys.__displayhook__, sys.breakpointhook is sys.__breakpointhook__]
state["main"] = sorted(globals())
get_code = importlib.machinery.SourceFileLoader.get_code
state["get_code"] = [get_code.__qualname__, get_code.__module__, get_code.__code__.co_varnames]
code = importlib.util.find_spec("traced").loader.get_code("traced")
state["code"] = [len(code.co_code), len(code.co_consts)]
state["pycache"] = sorted(name for folder in (".", "package") for name in os.listdir(f"{folder}/__pycache__")
                          if os.path.isdir(f"{folder}/__pycache__") and "opcodetrace" not in name)
json.dump(state, sys.stdout, default=str)
'''
WALKED = """
import sys
found = sys.modules["__main__"].frames()
"""
TRACED = """
'''Its text.'''
import operator
first = operator.itemgetter(0)
def double(number):
    return number * 2
class Account:
    balance = double(2)
    def pay(self):
        self.balance += 1
account = Account()
account.pay()
shared = [first([1, 2]), account.balance]
"""


def states(scripts: Scripts, *target: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plain and recorded, each with modules that were compiled before."""
    env = environment(PYTHONDONTWRITEBYTECODE="", PYTHONHASHSEED="0")
    scripts.run([sys.executable, *target], env=env)
    scripts.run(scripts.recording_command(*target), env=env)
    plain = scripts.run([sys.executable, *target], env=env)
    recorded = scripts.run(scripts.recording_command(*target), env=env)
    assert (plain.stderr, recorded.stderr) == (b"", b"")
    return json.loads(plain.stdout), json.loads(recorded.stdout)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="asks /proc")
@pytest.mark.parametrize("target", [["program.py"], ["-m", "program"]], ids=" ".join)
def test_a_program_sees_nothing_of_us(target: list[str], scripts: Scripts) -> None:
    scripts.write("program.py", PROGRAM)
    scripts.write("walked.py", WALKED)
    scripts.write("traced.py", TRACED)
    scripts.write("package/__init__.py", "")
    scripts.write("package/part.py", TRACED)
    plain, recorded = states(scripts, *target)
    assert recorded.keys() == plain.keys()
    assert plain["pycache"] and len(plain["frames"]) > 1 and len(plain["settrace traced"]) > 10
    for key, value in plain.items():
        assert recorded[key] == value, key
    assert plain["ours in gc"] == 0
