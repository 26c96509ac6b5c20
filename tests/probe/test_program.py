"""The traced program runs as under the interpreter's own main."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recording import environment

PROGRAMS = {
    "result": "print('done')",
    "exception": """
def f():
    g()
def g():
    raise ValueError('no')
f()
""",
    "syntax of a chain": """
try:
    1 / 0
except ZeroDivisionError as e:
    raise KeyError('x') from e
""",
    "exit": """
import sys
sys.exit(3)
""",
    "exit with text": "raise SystemExit('goodbye')",
    "exit in a function": """
import atexit
atexit.register(print, 'at exit')
def f(): raise SystemExit(4)
f()
""",
    "interrupt": "raise KeyboardInterrupt",
    "interrupt caught": """
try:
    raise KeyboardInterrupt
except KeyboardInterrupt:
    print('caught')
""",
    "frames": """
import sys
try:
    print(sys._getframe(1))
except ValueError as e:
    print(e)
print(sys._getframe().f_back)
import inspect
print(len(inspect.stack()))
""",
    "recursion": """
import sys
def f(n):
    try:
        return f(n + 1)
    except RecursionError:
        return n
print(f(0))
sys.setrecursionlimit(300)
print(f(0))
""",
    "excepthook": """
import sys
sys.excepthook = lambda *a: print('hook', a[0], sys._getframe().f_back)
raise OSError('x')
""",
    "unbuffered end": """
import sys
sys.stdout.write('no newline')
sys.stderr.write('neither')
""",
    "unraisable": """
class C:
    def __del__(self): raise ValueError('in del')
c = C()
del c
print('on')
""",
    "garbage": """
import gc
for _ in range(5): gc.collect()
print('ok')
""",
    "threads": """
import threading
t = threading.Thread(target=lambda: print(threading.main_thread() is threading.current_thread()))
t.start()
t.join()
""",
    "trace": """
import sys
seen = []
def tracer(f, e, a):
    seen.append((f.f_code.co_name, e))
    return tracer
sys.settrace(tracer)
def g(): return 1
g()
sys.settrace(None)
print(seen)
""",
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
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=folder)
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
    if leaves == "by its end" and "exit" in program.lower():
        pytest.skip("the caller is to exit by the code that SystemExit had")
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
