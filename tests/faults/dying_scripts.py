"""Scripts that end in every way there is, in any thread, before or after they have made events."""

from __future__ import annotations

from tests.faults import laws
from tests.faults.trial import Trial

BEGINNING = """
import atexit, os, signal, sys, threading, time
counter, lock = [0], threading.Lock()
def work(times):
    for _ in range(times):
        with lock:
            counter[0] += 1
def in_threads(times):
    threads = [threading.Thread(target=work, args=(times,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
def deep(depth):
    counter[0] += 1
    return deep(depth - 1) + 1
class Out(SystemExit):
    pass
class Falls(Exception):
    def __str__(self):
        raise RuntimeError("no text")
"""
EXCEPTIONS = (
    "ValueError('a text, é')",
    "KeyError('k')",
    "OSError(28, 'No space left on device', 'a file')",
    "ExceptionGroup('many', [ValueError(1), KeyError('k')])",
    "RuntimeError()",
    "Falls()",
    "StopIteration(1)",
    "MemoryError()",
    "KeyboardInterrupt()",
    "GeneratorExit()",
    "BrokenPipeError()",
    "AssertionError((1, 2))",
)
CODES = ("None", "True", "'a reason, é'", "''", "0.0", "(1, 2)", "object", "1 << 70", "-(1 << 70)")
SIGNALS = ("ABRT", "ALRM", "BUS", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "XCPU")


def trial(t: Trial) -> None:
    t.with_earlier_run()
    script = t.script("\n".join([BEGINNING, *_program(t)]))
    t.note(script.read_text().removeprefix(BEGINNING))
    plain = t.plain(script, "argument")
    runs = 2 if t.chance(6) else 1
    options = [["--runs", "2"] if runs > 1 else [], ["--calls"] if t.chance(6) else []]
    options += [["--last", "100"] if t.chance(6) else [], ["--keep", "all"] if t.chance(4) else []]
    # threads that spin at the end would fill a large one, which takes long to store
    done = t.run(
        t.recording("-q", "--window", "16M", *[word for option in options for word in option], script, "argument")
    )
    if runs > 1 and plain.code == -2:  # then the user wants no more of it
        runs = done.stdout.count(plain.stdout) if plain.stdout else 1
    laws.as_plain(t, done, plain, runs)
    laws.recovered(t)
    stored = laws.earlier_run_is_intact(t) - 1
    t.require(stored == runs, f"{stored} runs are stored:\n{done}")


def _program(t: Trial) -> list[str]:
    lines = [f"in_threads({t.size(1, 3000)})"] if not t.chance(4) else []
    lines += [line for line in _left_over(t) if line]
    lines.append("print('before the end', flush=True)")
    end = _end(t)
    place = t.random.choice(("main", "main", "function", "thread", "atexit", "finalizer", "generator", "coroutine"))
    if place == "main":
        return [*lines, *end]
    body = [f"    {line}" for line in end]
    lines += ["def end():", "    counter[0] += 1", *body]
    return (
        lines
        + {
            "function": ["end()"],
            "thread": ["thread = threading.Thread(target=end, name='of the end')", "thread.start()", "thread.join()"],
            "atexit": ["atexit.register(end)"],
            "finalizer": ["class D:", "    def __del__(self):", "        end()", "d = D()", "del d"],
            "generator": ["def generator():", "    yield 1", "    end()", "    yield 2", "print(list(generator()))"],
            "coroutine": [
                "import asyncio",
                "async def coroutine():",
                "    await asyncio.sleep(0)",
                "    end()",
                "asyncio.run(coroutine())",
            ],
        }[place]
    )


def _left_over(t: Trial) -> list[str]:
    """What still runs at the end."""
    kind = t.random.choice(("nothing", "nothing", "daemons", "waiting", "unjoined", "handler", "hook"))
    if kind == "daemons":
        count = t.random.randrange(1, 4)
        return [
            "def spin():",
            "    while True:",
            "        counter[0] += 1",
            f"for _ in range({count}):",
            "    threading.Thread(target=spin, daemon=True).start()",
        ]
    if kind == "waiting":
        return ["threading.Thread(target=threading.Event().wait, daemon=True).start()"]
    if kind == "unjoined":
        return [
            "def late():",
            "    threading.main_thread().join()",
            f"    work({t.size(1, 1000)})",
            "    print('late')",
            "threading.Thread(target=late).start()",
        ]
    if kind == "handler":
        return ["signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))"]
    if kind == "hook":
        return ["sys.excepthook = lambda kind, error, place: print('hook', kind.__name__)"]
    return []


def _end(t: Trial) -> list[str]:
    kind = t.random.choice(
        ("falls off", "exit", "raise", "raise", "_exit", "abort", "signal", "signal", "recursion", "exec", "streams")
    )
    if kind == "exit":
        given = t.random.choice((*CODES, str(t.random.randrange(-300, 70_000)), str(t.random.randrange(256))))
        return [t.random.choice((f"sys.exit({given})", f"raise Out({given})", f"raise SystemExit({given})"))]
    if kind == "raise":
        error = t.random.choice(EXCEPTIONS)
        if t.chance(3):
            return ["try:", "    1 / 0", "except ZeroDivisionError as cause:", f"    raise {error} from cause"]
        return [f"raise {error}"]
    if kind == "_exit":
        return [f"os._exit({t.random.randrange(256)})"]
    if kind == "abort":
        return ["os.abort()"]
    if kind == "signal":
        return [f"os.kill(os.getpid(), signal.SIG{t.random.choice(SIGNALS)})"]
    if kind == "recursion":
        return [f"sys.setrecursionlimit({t.size(100, 5000)})", "deep(-1)"]
    if kind == "exec":
        code = t.random.randrange(256)
        shell = f"os.execv('/bin/sh', ['sh', '-c', 'echo another; exit {code}'])"
        python = f'os.execv(sys.executable, [sys.executable, "-c", "print(1); raise SystemExit({code})"])'
        return [t.random.choice((shell, python))]
    if kind == "streams":
        return [
            t.random.choice(("sys.stdout.close()", "sys.stderr = None; 1 / 0", "os.close(1)", "os.close(2); 1 / 0"))
        ]
    return ["pass"]
