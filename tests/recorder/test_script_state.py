"""A recorded script finds Python as it would without us."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.recording import Scripts, environment

STATE = """
import sys
_modules = list(sys.modules)
_names = dict(globals())
import json, os, gc, _warnings, signal, locale

def frames():
    frame, names = sys._getframe(), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names

def recursion(depth=0):
    try:
        return recursion(depth + 1)
    except RecursionError:
        return depth

def described(value):
    if isinstance(value, (str, type(None), dict)):
        return repr(value)
    return f"{type(value).__module__}.{type(value).__name__} {getattr(value, 'name', '')} {getattr(value, 'path', '')}"

def descriptors():
    return sorted((int(fd), os.readlink(f"/proc/self/fd/{fd}").split(":")[0]) for fd in os.listdir("/proc/self/fd")
                  if os.path.exists(f"/proc/self/fd/{fd}"))

state = {
    "argv": sys.argv,
    "orig_argv": sys.orig_argv[1:],
    "path": sys.path,
    "modules": _modules,
    "names": [(name, described(value)) for name, value in _names.items() if name not in ("sys", "_modules")],
    "is_main": sys.modules["__main__"].__dict__ is globals(),
    "flags": repr(sys.flags),
    "xoptions": repr(sys._xoptions),
    "warnoptions": sys.warnoptions,
    "filters": repr(_warnings.filters),
    "importers": sorted(sys.path_importer_cache),
    "finders": [getattr(finder, "__qualname__", type(finder).__name__) for finder in sys.meta_path],
    "frames": frames(),
    "recursion": recursion(),
    "recursion_limit": sys.getrecursionlimit(),
    "switch_interval": sys.getswitchinterval(),
    "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks, gc.garbage],
    "environment": dict(os.environ),
    "descriptors": descriptors() if os.path.exists("/proc/self/fd") else None,
    "signals": {number: repr(signal.getsignal(number)) for number in range(1, 32)},
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "hooks": [sys.excepthook is sys.__excepthook__, sys.unraisablehook is sys.__unraisablehook__, sys.gettrace()],
    "group": os.getpgid(0) == os.getpgid(os.getppid()),
    "threading": "threading" in sys.modules,
    "cwd": os.getcwd(),
    "bytecode": sys.dont_write_bytecode,
    "umask": [os.umask(0o22), os.umask(0o22)],
    "main_attributes": sorted(dir(sys.modules["__main__"])),
}
json.dump(state, sys.stdout)
"""

OPTIONS = [
    [],
    ["-O"],
    ["-OO", "-B"],
    ["-X", "dev"],
    ["-Xdev", "-Werror"],
    ["-X", "dev", "-W", "error", "-W", "ignore::DeprecationWarning"],
    ["-bb", "-u"],
    ["-P"],
    ["-s"],
    ["-X", "utf8=0"],
    ["-X", "int_max_str_digits=0"],
    ["-X", "no_debug_ranges"],
    ["--check-hash-based-pycs", "never"],
]


# With these, the recorder has a process of its own, which has the options itself, too: its warnings would be errors,
# and what it imports is another's. With the others it is this process, which has more files open.
RECORDER_HAS: tuple[list[str], ...] = ([], ["-OO", "-B"], ["-Xdev", "-Werror"], ["-P"])


def states(
    scripts: Scripts, *args: str | Path, options: Sequence[str] = (), here: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    plain = scripts.plain(*args, options=options)
    if here:
        recorded = scripts.record(*args, options=options)
    else:
        recorded = scripts.run(scripts.recording_command(*args, options=options))
    assert recorded.stderr.decode() == plain.stderr.decode()
    found = json.loads(plain.stdout), json.loads(recorded.stdout)
    for state in found if here else ():
        del state["descriptors"]
    return found


def assert_same(plain: dict[str, Any], recorded: dict[str, Any]) -> None:
    assert recorded.keys() == plain.keys()
    for key, value in plain.items():
        assert recorded[key] == value, key


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_a_script_finds_the_same_state(options: list[str], scripts: Scripts) -> None:
    scripts.write("state.py", STATE)
    here = options not in RECORDER_HAS
    assert_same(*states(scripts, "state.py", "one", "--two", "-d", "--", "", options=options, here=here))


@pytest.mark.parametrize("path", ["./state.py", ".//folder/../state.py", "folder/link.py", "folder/inside.py"])
def test_a_script_is_found_by_any_path(path: str, scripts: Scripts) -> None:
    script = scripts.write("state.py", STATE)
    scripts.write("folder/inside.py", STATE)
    (scripts.folder / "folder" / "link.py").symlink_to(script)
    assert_same(*states(scripts, path))
    assert_same(*states(scripts, scripts.folder / path))


@pytest.mark.parametrize("options", [[], ["-X", "dev", "-W", "error"], ["-P"]], ids=" ".join)
def test_a_module_finds_the_same_state(options: list[str], scripts: Scripts) -> None:
    scripts.write("package/__init__.py", "")
    scripts.write("package/module.py", STATE)
    scripts.write("package/__main__.py", STATE)
    env_options = options if "-P" not in options else []
    assert_same(*states(scripts, "-m", "package.module", "one", "-m", options=env_options, here=False))
    assert_same(*states(scripts, "-m", "package", options=env_options))


@pytest.mark.parametrize("module", ["nowhere", "package.nowhere", "package", "failing", "exiting"])
def test_a_module_that_does_not_run_fails_as_without_us(module: str, scripts: Scripts) -> None:
    scripts.write("package/__init__.py", "")
    scripts.write("failing.py", "def f():\n    1 / 0\nf()\n")
    scripts.write("exiting.py", "raise SystemExit(1)")
    assert scripts.same("-m", module, here=True) == 1


def test_a_module_that_python_cannot_compile(scripts: Scripts) -> None:
    scripts.write("broken.py", "def f(:\n")
    assert scripts.same("-m", "broken", here=True) == 1


def test_modules_of_the_standard_library_run(scripts: Scripts) -> None:
    assert scripts.same("-m", "json.tool", "--sort-keys", stdin=b'{"b": 1, "a": 2}', here=True) == 0


def test_everything_can_be_imported_afresh(scripts: Scripts) -> None:
    """What we imported for ourselves is gone: the script's modules are whole, and alone of their name."""
    scripts.write(
        "script.py",
        """
import sys
import ast, collections.abc, copyreg, dataclasses, dis, enum, functools, gc, importlib, inspect, itertools, opcode, re
import operator, struct, types, typing, warnings, weakref
for name, module in list(sys.modules.items()):
    parent, _, tail = name.rpartition(".")
    if parent and getattr(sys.modules[parent], tail, module) is not module:
        print(name, "is not its parent's")
    for attribute, value in list(vars(module).items()):
        other = sys.modules.get(getattr(value, "__module__", None) or "")
        if isinstance(value, type) and other is not None and hasattr(other, value.__qualname__):
            if getattr(other, value.__qualname__) is not value:
                print(name, attribute, "is of another time")
print(sorted(module for module in sys.modules if module.startswith(("opcodetrace", "bytecode"))))
print(re.compile("a+").match("aa"), ast.unparse(ast.parse("a+1")), enum.Enum("E", "a b").a, re.I | re.M)
assert isinstance(re.compile("a"), re.Pattern) and isinstance(collections.OrderedDict(), collections.abc.Mapping)
import pickle, copy
copy.deepcopy(re.compile("a")), pickle.loads(pickle.dumps(re.I))
""",
    )
    assert scripts.same("script.py", here=True) == 0


def test_a_fork_and_a_subprocess_are_their_own(scripts: Scripts) -> None:
    scripts.write(
        "script.py",
        """
import os, subprocess, sys
print(sorted(os.environ.items()), flush=True)
child = os.fork()
if child == 0:
    counter = [0]
    for _ in range(100):
        counter[0] += 1
    import late
    print("forked", counter, late.value, flush=True)
    os._exit(6)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
code = "import os, sys; print(sorted(os.environ.items()), sys.argv, [m for m in sys.modules if 'opcodetrace' in m])"
subprocess.run([sys.executable, "-c", code, "x"], check=True)
""",
    )
    scripts.write("late.py", "value = [1, 2]\nvalue[0] = 5\n")
    assert scripts.same("script.py", here=True) == 0


def test_multiprocessing_works(scripts: Scripts) -> None:
    scripts.write(
        "script.py",
        """
import multiprocessing

def square(x):
    return x * x

if __name__ == "__main__":
    for method in ("spawn", "fork"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(square, range(5)), flush=True)
""",
    )
    assert scripts.same("script.py", options=["-W", "ignore"], here=True) == 0


def test_what_the_shell_opened_reaches_the_script(scripts: Scripts) -> None:
    scripts.write("script.py", "import os\nprint(os.read(int(os.environ['DESCRIPTOR']), 10))")
    read_end, write_end = os.pipe()
    os.write(write_end, b"text")
    done = scripts.run(
        scripts.recording_command("script.py"),
        env=environment(DESCRIPTOR=str(read_end)),
        pass_fds=[read_end],
    )
    os.close(read_end)
    os.close(write_end)
    assert done.stdout == b"b'text'\n", done.stderr


def test_the_switch_interval_is_set_for_the_script(scripts: Scripts) -> None:
    scripts.write("script.py", "import sys\nprint(sys.getswitchinterval())")
    assert scripts.record("--switch-interval", "0.25", "script.py").stdout == b"0.25\n"


def test_projects_modules_are_imported_and_leave_no_module_of_ours(scripts: Scripts) -> None:
    scripts.write("script.py", "import sys\nimport helper, package.part\nprint(list(sys.modules), helper.f())")
    scripts.write("helper.py", "state = {}\ndef f():\n    state['a'] = 1\n    return state\n")
    scripts.write("package/__init__.py", "from . import part\n")
    scripts.write("package/part.py", "class C:\n    x: int = 1\n    y = [i for i in range(3)]\n")
    assert scripts.same("script.py", here=True) == 0


def test_a_script_may_be_named_like_what_we_import(scripts: Scripts) -> None:
    for name in ("bytecode", "typing", "enum", "opcodetrace", "dis"):
        scripts.write(f"folder/{name}.py", f"print('the script\\'s own {name}')")
    scripts.write("folder/script.py", "import sys\nimport bytecode, opcodetrace\nprint('done')")
    assert scripts.same("folder/script.py", here=True) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_has_no_thread_of_ours(scripts: Scripts) -> None:
    scripts.write("script.py", "import os\nprint(len(os.listdir('/proc/self/task')))")
    assert scripts.same("script.py", here=True) == 0
