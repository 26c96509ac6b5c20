"""Scripts that fork, start processes, and do so while their threads run."""

from __future__ import annotations

from tests.faults import laws
from tests.faults.trial import Trial

BEGINNING = """
import multiprocessing, os, subprocess, sys, threading, time, warnings
warnings.simplefilter("ignore")  # that there are threads
counter, lock = [0], threading.Lock()
over = False
def work(times):
    for _ in range(times):
        with lock:
            counter[0] += 1
    return times
def spin():
    while not over:
        counter[0] += 1
        time.sleep(0.0001)
def in_threads(times):
    threads = [threading.Thread(target=work, args=(times,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
def into(queue, times):
    in_threads(times)
    queue.put(times)
"""
ENDS = ("os._exit({code})", "sys.exit({code})", "raise ValueError({code})", "os.kill(os.getpid(), 9)", "os.abort()")


def trial(t: Trial) -> None:
    t.with_earlier_run()
    body = [f"in_threads({t.size(1, 2000)})"] if t.chance(2) else []
    spinning = t.chance(2)
    if spinning:
        body += ["spinning = [threading.Thread(target=spin) for _ in range(2)]"]
        body += ["for thread in spinning:", "    thread.start()"]
    for _ in range(t.random.randrange(1, 3)):
        kind = t.random.choice((_fork, _fork, _fork_in_a_thread, _processes, _pool, _subprocess, _left_behind))
        if spinning and kind in (_fork, _fork_in_a_thread, _processes, _pool):
            kind = _fork_beside_threads  # what a child may do then is little: others may hold a lock
        body += kind(t)
    if spinning:
        body += ["over = True", "for thread in spinning:", "    thread.join()"]
    body += [f"in_threads({t.size(1, 2000)})", "print('end')", f"sys.exit({t.random.choice((0, 0, 4))})"]
    lines = [f"    {line}" for line in body]
    script = t.script("\n".join([BEGINNING, "if __name__ == '__main__':", *lines]))
    t.note(script.read_text().removeprefix(BEGINNING))
    plain = t.plain(script)
    options = [*(["--calls"] if t.chance(6) else []), *(["--last", "1000"] if t.chance(6) else [])]
    done = t.run(t.recording("-q", *options, script))
    laws.as_plain(t, done, plain)
    laws.recovered(t)
    stored = laws.earlier_run_is_intact(t) - 1
    t.require(stored == 1, f"{stored} runs are stored:\n{done}")
    laws.answered(t, t.opcodetrace("check"), 0, 1)


def _fork(t: Trial) -> list[str]:
    end = t.random.choice(ENDS).format(code=t.random.randrange(200))
    return [
        "sys.stdout.flush()",
        "if os.fork() == 0:",
        f"    in_threads({t.size(1, 500)})",
        f"    print('child', flush=True); {end}",
        "print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)",
    ]


def _fork_beside_threads(t: Trial) -> list[str]:
    return [
        "sys.stdout.flush()",
        "if os.fork() == 0:",
        f"    counter[0] += 1; os._exit({t.random.randrange(200)})",
        "print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)",
    ]


def _fork_in_a_thread(t: Trial) -> list[str]:
    lines = [f"    {line}" for line in _fork(t)]
    return ["def forks():", *lines, "thread = threading.Thread(target=forks)", "thread.start()", "thread.join()"]


def _processes(t: Trial) -> list[str]:
    method = t.random.choice(("fork", "spawn", "forkserver"))
    times = t.size(1, 500)
    return [
        f"context = multiprocessing.get_context({method!r})",
        "queue = context.Queue()",
        f"processes = [context.Process(target=into, args=(queue, {times})) for _ in range(2)]",
        "for process in processes:",
        "    process.start()",
        "print([queue.get() for _ in processes])",
        "for process in processes:",
        "    process.join()",
        "    print(process.exitcode)",
    ]


def _pool(t: Trial) -> list[str]:
    method = t.random.choice(("fork", "spawn"))
    return [
        f"with multiprocessing.get_context({method!r}).Pool(2) as pool:",
        f"    print(pool.map(work, [1, 2, {t.size(1, 500)}]))",
    ]


def _subprocess(t: Trial) -> list[str]:
    code = t.random.randrange(200)
    return [
        t.random.choice(
            (
                f"print(subprocess.run([sys.executable, '-c', 'raise SystemExit({code})']).returncode)",
                f"print(os.system('exit {code}'))",
                "print(subprocess.getoutput('echo by a shell'))",
                f"print(os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'exit {code}'], dict(os.environ)), 0)[1])",
                "print(subprocess.run(['kill -9 $$'], shell=True, close_fds=False).returncode)",
            )
        )
    ]


def _left_behind(t: Trial) -> list[str]:
    """A child that lives on until its parent has gone, and then ends."""
    return [
        "reader, writer = os.pipe()",
        "sys.stdout.flush()",
        "if os.fork() == 0:",
        "    os.close(writer)",
        "    os.read(reader, 1)",
        "    os._exit(0)",
    ]
