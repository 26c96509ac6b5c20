"""The traced program runs as under the interpreter's own main."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = {
    "result": "print('done')",
    "exception": "def f():\n    g()\ndef g():\n    raise ValueError('no')\nf()",
    "syntax of a chain": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('x') from e",
    "exit": "import sys\nsys.exit(3)",
    "exit with text": "raise SystemExit('goodbye')",
    "exit in a function": "import atexit\natexit.register(print, 'at exit')\ndef f(): raise SystemExit(4)\nf()",
    "interrupt": "raise KeyboardInterrupt",
    "interrupt caught": "try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt:\n    print('caught')",
    "frames": "import sys\ntry:\n    print(sys._getframe(1))\nexcept ValueError as e:\n    print(e)\n"
    "print(sys._getframe().f_back)\nimport inspect\nprint(len(inspect.stack()))",
    "recursion": "import sys\ndef f(n):\n    try:\n        return f(n + 1)\n    except RecursionError:\n        return n\nprint(f(0))\n"
    "sys.setrecursionlimit(300)\nprint(f(0))",
    "excepthook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0], sys._getframe().f_back)\nraise OSError('x')",
    "unbuffered end": "import sys\nsys.stdout.write('no newline')\nsys.stderr.write('neither')",
    "unraisable": "class C:\n    def __del__(self): raise ValueError('in del')\nc = C()\ndel c\nprint('on')",
    "garbage": "import gc\nfor _ in range(5): gc.collect()\nprint('ok')",
    "threads": "import threading\nt = threading.Thread(target=lambda: print(threading.main_thread() is threading.current_thread()))\n"
    "t.start()\nt.join()",
    "trace": "import sys\nseen = []\ndef tracer(f, e, a):\n    seen.append((f.f_code.co_name, e))\n    return tracer\n"
    "sys.settrace(tracer)\ndef g(): return 1\ng()\nsys.settrace(None)\nprint(seen)",
}

# As child.py does: functions of another module run the program, and the status becomes the exit code.
UNDER = """
import sys
from opcodetrace.probe import _probe
def run(n):
    if n: return run(n - 1)
    import __main__
    space = __main__.__dict__
    builtins = space['__builtins__']
    space.clear()
    space.update(__name__='__main__', __doc__=None, __package__=None, __loader__=None, __spec__=None, __file__={path!r},
                 __cached__=None, __builtins__=builtins)
    if sys.version_info >= (3, 14): del space['__cached__']
    return _probe.run_main(compile(open({path!r}).read(), {path!r}, 'exec'), space)
def main():
    status = run(20)
    {leave}
"""
LEAVE = {"by its end": "", "by sys.exit": "sys.exit(status)"}


def write_runner(folder: Path, program: Path, leaves: str) -> Path:
    (folder / "under.py").write_text(UNDER.format(path=str(program), leave=LEAVE[leaves]))
    runner = folder / "runner.py"
    runner.write_text("import under\nunder.main()\n")
    return runner


def run(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    source = os.environ.get("PROBE_PATH", str(Path(__file__).parents[2] / "src"))
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=folder, timeout=60)
    return done.returncode, done.stdout, done.stderr


def scrub(ending: tuple[int, str, str]) -> tuple[int, str, str]:
    status, output, errors = ending
    return status, output, re.sub("0x[0-9a-f]+", "0x", errors)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("leaves", LEAVE)
def test_as_under_the_interpreter(program: str, leaves: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(program)
    runner = write_runner(tmp_path, path, leaves)
    plain, probed = run([str(path)], tmp_path), run([str(runner)], tmp_path)
    if leaves == "by its end" and probed[0] == 0:
        probed = (plain[0], *probed[1:])  # the status was thrown away
    assert scrub(probed) == scrub(plain)


def test_an_interrupt_ends_the_process_by_its_signal(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)")
    runner = write_runner(tmp_path, tmp_path / "p.py", "by sys.exit")
    status, _, errors = run([str(runner)], tmp_path)
    assert status == -signal.SIGINT
    assert errors.endswith("KeyboardInterrupt\n")
    assert "runner" not in errors


def test_a_callable(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("import sys\nprint(__name__, sys.argv[1:])\ndef f(): 1 / 0\nf()")
    runner = tmp_path / "runner.py"
    runner.write_text(
        "import runpy, sys\nfrom opcodetrace.probe import _probe\n"
        "sys.argv = ['', 'a']\nsys.exit(_probe.run_callable(runpy._run_module_as_main, 'm'))"
    )
    plain, probed = run(["-m", "m", "a"], tmp_path), run([str(runner)], tmp_path)
    assert probed == plain


def test_arguments() -> None:
    from opcodetrace.probe import _probe

    with pytest.raises(TypeError):
        _probe.run_main("pass", {})  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _probe.run_callable()  # type: ignore[call-arg]
    assert _probe.run_callable(lambda *values: print(*values), 1, 2) == 0
