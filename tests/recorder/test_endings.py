"""A recorded script ends as it does without us: exit code, signal, and every byte on stdout and stderr."""

from __future__ import annotations

import signal

import pytest

from tests.recording import Scripts

FINALIZER = """
def said(text):
    print(text)

class Kept:
    def __init__(self, name):
        self.name = name
        self.cycle = self
    def __del__(self):
        said(self.name)

kept = Kept("kept")
"""

ENDINGS: dict[str, str | bytes] = {
    "falls off": "print('done')",
    "exit 3": "import sys; print('done'); sys.exit(3)",
    "exit 300": "import sys; sys.exit(300)",
    "exit -1": "import sys; sys.exit(-1)",
    "exit none": "import sys; sys.exit(None)",
    "exit true": "import sys; sys.exit(True)",
    "exit text": "import sys; sys.exit('a reason, \\u00e9')",
    "exit empty text": "import sys; sys.exit('')",
    "exit 0.0": "import sys; sys.exit(0.0)",
    "exit tuple": "import sys; sys.exit((1, 2))",
    "exit of a subclass": "class Out(SystemExit):\n    code = 7\nraise Out",
    "exit in a thread": "import threading, sys\nthreading.Thread(target=sys.exit, args=(4,)).start()",
    "exit in atexit": "import atexit, sys\natexit.register(sys.exit, 4)",
    "exception": "def f(x):\n    return 1 / x\n\nf(0)",
    "chained exceptions": "try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('k') from e",
    "exception group": "raise ExceptionGroup('many', [ValueError(1), KeyError('k')])",
    "exception with notes": "e = ValueError(1)\ne.add_note('a note')\nraise e",
    "exception in a thread": "import threading\nthreading.Thread(target=lambda: 1 / 0, name='t').start()",
    "exception in atexit": "import atexit\natexit.register(divmod, 1, 0)",
    "recursion": "import sys\nsys.setrecursionlimit(200)\ndef f(): f()\nf()",
    "own excepthook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__, a[2].tb_lineno)\n1 / 0",
    "excepthook that exits": "import sys\nsys.excepthook = lambda *a: sys.exit(9)\n1 / 0",
    "excepthook that fails": "import sys\nsys.excepthook = lambda *a: [][0]\n1 / 0",
    "no excepthook": "import sys\ndel sys.excepthook\n1 / 0",
    "last exception": "import atexit, sys\natexit.register(lambda: print(repr(sys.last_value)))\n1 / 0",
    "last traceback": "import atexit, sys\natexit.register(lambda: print(sys.last_traceback.tb_frame.f_back))\n1 / 0",
    "keyboard interrupt": "raise KeyboardInterrupt",
    "os._exit": "import os\nprint('kept', flush=True)\nos._exit(5)",
    "killed": "import os, signal\nprint('kept', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    "aborted": "import os; os.abort()",
    "segfault": "import faulthandler\nfaulthandler._sigsegv()",
    "no stderr": "import sys\nsys.stderr = None\n1 / 0",
    "daemon left": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
    "threads outlive main": (
        "import threading\ngo = threading.Event()\n"
        "threading.Thread(target=lambda: (go.wait(), print('after main', '__file__' in globals()))).start()\n"
        "threading.main_thread().__class__\n"
        "import atexit\natexit.register(lambda: print('atexit'))\n"
        "threading._register_atexit(go.set)"
    ),
    "del at the end": "class D:\n    def __del__(self):\n        print('deleted')\nd = D()\nl = [d]; l.append(l)",
    "finalizer after the end": FINALIZER,
    "finalizer after an exception": FINALIZER + "1 / 0",
    "finalizer of a frozen one": "import gc\n" + FINALIZER + "gc.freeze()",
    "warning": "import warnings\nwarnings.warn('careful')\nwarnings.warn('old', DeprecationWarning)",
    "syntax warning": "x = 1\nif x is 1:\n    print('is')\n",
    "syntax error": "print('not run')\nif x\n    pass\n",
    "warning and syntax error": "x = 1 is 1\ndef f(:\n    pass\n",
    "indentation error": "if 1:\nprint()\n",
    "late syntax error": "def f():\n    return\nreturn 1\n",
    "future": "from __future__ import annotations\ndef f(x: undefined): pass\nprint(f.__annotations__)",
    "no future": "def f(x: undefined): pass\nprint(f.__annotations__)",
    "docstring": '"""Of the script."""\nprint(__doc__)',
    "no docstring": "print(__doc__)",
    "bom": b"\xef\xbb\xbfprint('\xc3\xa9')",
    "latin-1": b"# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))",
    "unknown cookie": b"# -*- coding: nonsense -*-\nprint(1)",
    "not utf-8": b"print('\xe9')\n",
    "null byte": b"print(1)\n\0\n",
    "empty": b"",
    "crlf": b"x = 1\r\nprint(x)\r\n1 / 0\r\n",
}


# Each way in which the recorder's own process ends: by a code, by a signal, and beside a script that says nothing.
RECORDER_ENDS = {"falls off", "exit 3", "exit 300", "exception", "keyboard interrupt", "os._exit", "syntax error"}
RECORDER_ENDS |= {"killed", "terminated", "aborted", "segfault", "no stderr", "daemon left"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_script_ends_as_without_us(ending: str, scripts: Scripts) -> None:
    scripts.write("script.py", ENDINGS[ending])
    scripts.same("script.py", "argument", here=ending not in RECORDER_ENDS)
    assert scripts.spools() == []


@pytest.mark.parametrize("ending", ["falls off", "exit 3", "exception", "killed", "keyboard interrupt"])
def test_it_does_so_if_a_user_starts_the_recorder(ending: str, scripts: Scripts) -> None:
    """Not forked from us: its interpreter ends, too."""
    scripts.write("script.py", ENDINGS[ending])
    plain, recorded = scripts.plain("script.py"), scripts.run(scripts.recording_command("script.py"))
    assert (recorded.returncode, recorded.stdout, recorded.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_finalizers_run_after_sys_exit(scripts: Scripts) -> None:
    scripts.write("script.py", FINALIZER + "import sys; sys.exit(2)")
    assert scripts.same("script.py") == 2


@pytest.mark.parametrize("ending", ["falls off", "exit 3", "exception", "killed", "keyboard interrupt", "syntax error"])
def test_with_several_runs_it_prints_the_same_several_times(ending: str, scripts: Scripts) -> None:
    scripts.write("script.py", ENDINGS[ending])
    plain = scripts.plain("script.py")
    record = scripts.recorded if ending in ("killed", "keyboard interrupt") else scripts.record
    recorded = record("--runs", "3", "script.py")
    assert recorded.returncode == plain.returncode
    times = 1 if ending == "keyboard interrupt" and plain.returncode == 0 else 3
    assert recorded.stdout == plain.stdout * times


@pytest.mark.parametrize(
    ("ending", "code", "signum"),
    [("exit 3", 3, None), ("exception", 1, None), ("killed", 137, signal.SIGKILL), ("syntax error", 1, None)],
)
def test_the_run_says_how_it_ended(ending: str, code: int, signum: int | None, scripts: Scripts) -> None:
    scripts.write("script.py", ENDINGS[ending])
    scripts.record("script.py", "a", "-q")
    assert scripts.query("SELECT script, exit_code FROM runs") == [("script.py", code)]


def test_stdin_is_the_scripts(scripts: Scripts) -> None:
    scripts.write("script.py", "import sys\nprint(input())\nprint(sys.stdin.read())")
    assert scripts.same("script.py", stdin=b"one\ntwo\nthree") == 0


def test_only_the_first_of_several_runs_has_stdin(scripts: Scripts) -> None:
    scripts.write("script.py", "import sys\nprint(repr(sys.stdin.read()))")
    assert scripts.recorded("--runs", "2", "script.py", stdin=b"text").stdout == b"'text'\n''\n"


def test_the_exit_code_of_several_runs_is_the_first_that_is_not_0(scripts: Scripts) -> None:
    scripts.write("script.py", "import sys\nopen('n', 'a').write('x')\nsys.exit(len(open('n').read()) - 1)")
    assert scripts.record("--runs", "3", "script.py").returncode == 1


def test_several_runs_are_told_apart_by_what_they_print(scripts: Scripts) -> None:
    scripts.write("script.py", "open('n', 'a').write('x')\nprint('odd' if len(open('n').read()) % 2 else 'even')")
    command = [*scripts.recording_command(), "--runs", "3", "script.py"]
    command.remove("-q")
    done = scripts.run(command)
    rows = [line.split() for line in done.stderr.decode().splitlines() if "even" in line or "odd" in line]
    assert [(row[1], row[3]) for row in rows] == [("2", "odd"), ("1", "even")], done.stderr.decode()


@pytest.mark.parametrize("options", [(), ("--runs", "2")], ids=["one run", "two runs"])
def test_a_closed_stderr_is_no_reason_not_to_record(options: tuple[str, ...], scripts: Scripts) -> None:
    scripts.write("script.py", "print('done')")
    command = [each for each in scripts.recording_command(*options, "script.py") if each != "-q"]
    done = scripts.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *command])
    assert (done.returncode, done.stdout) == (0, b"done\n" * (2 if options else 1))
