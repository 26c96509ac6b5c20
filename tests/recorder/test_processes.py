"""Child processes of a recorded script run as they would without us, unrecorded; the run says how many there were."""

from __future__ import annotations

import pytest

from tests.recording import Scripts

THREADS = """
import threading
counter = [0]
def add(number=1):
    for _ in range(number):
        counter[0] += 1
    return counter[0]
def in_threads():
    threads = [threading.Thread(target=add, args=(100,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""

CHILD = """
def child(queue):
    import sys
    counter[0] = 0
    add(7)
    main = sys.modules["__main__"]
    queue.put((counter, __name__, main.__name__, main.__spec__, main.__file__ == __file__, sys.argv))
"""

# Script, and how many processes it starts itself: if it does not just fork, multiprocessing tracks resources in one.
SCRIPTS: dict[str, tuple[str, int]] = {
    **{
        f"Process, {method}": (
            f"""{THREADS}{CHILD}
import multiprocessing, sys
if __name__ == "__main__":
    in_threads()
    context = multiprocessing.get_context({method!r})
    queue = context.Queue()
    processes = [context.Process(target=child, args=(queue,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        print(queue.get())
    for process in processes:
        process.join()
        print(process.exitcode)
    in_threads()
    print(sys.argv)
""",
            # of a fork server two processes are not ours: it starts them
            {"fork": 2, "spawn": 3, "forkserver": 2}[method],
        )
        for method in ("fork", "spawn", "forkserver")
    },
    **{
        f"Pool, {method}": (
            f"""{THREADS}
import multiprocessing
if __name__ == "__main__":
    in_threads()
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        print(pool.map(add, [1, 2, 3]))
    in_threads()
""",
            {"fork": 1, "spawn": 2}[method],
        )
        for method in ("fork", "spawn")
    },
    **{
        f"ProcessPoolExecutor, {method}": (
            f"""{THREADS}
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
if __name__ == "__main__":
    in_threads()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context({method!r})) as executor:
        print(list(executor.map(add, [1, 2, 3])))
    in_threads()
""",
            {"fork": 1, "spawn": 2}[method],
        )
        for method in ("fork", "spawn")
    },
    "subprocess": (
        f"""{THREADS}
import os, subprocess, sys
in_threads()
program = "import sys, os; print(sys.argv, sorted(k for k in os.environ if 'OPCODE' in k.upper()))"
for options in ({{}}, {{"close_fds": False}}, {{"start_new_session": True}}, {{"preexec_fn": in_threads}}):
    done = subprocess.run([sys.executable, "-c", program, "an argument"], capture_output=True, text=True, **options)
    print(done)
print(subprocess.getoutput("echo by a shell"))
print(os.system("exit 3"))
print(os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "exit 4"], {{}}), 0)[1])
print(os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "exit 5"))
in_threads()
""",
        8,
    ),
    "os.fork": (
        f"""{THREADS}
import os, sys
def at(place):
    return lambda: order.append(place)
order = []
os.register_at_fork(before=at("before 1"), after_in_parent=at("parent 1"), after_in_child=at("child 1"))
os.register_at_fork(before=at("before 2"), after_in_parent=at("parent 2"), after_in_child=at("child 2"))
in_threads()
reader, writer = os.pipe()
if os.fork() == 0:
    os.read(reader, 1)
    in_threads()
    print("child", counter, order, flush=True)
    sys.exit(3)
os.write(writer, b"x")
print(os.waitstatus_to_exitcode(os.wait()[1]))
in_threads()
print("parent", counter, order)
""",
        1,
    ),
    "fork in a thread, beside others": (
        f"""{THREADS}
import os, time
over = False
def spin():
    while not over:
        add()
        time.sleep(0.0001)
def fork():
    for number in range(5):
        child = os.fork()
        if child == 0:
            in_threads()
            os._exit(number)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
spinning = [threading.Thread(target=spin) for _ in range(2)]
forking = threading.Thread(target=fork)
for thread in (*spinning, forking):
    thread.start()
forking.join()
over = True
for thread in spinning:
    thread.join()
in_threads()
print("done")
""",
        5,
    ),
    "a child that outlives its parent": (
        f"""{THREADS}
import os, sys
in_threads()
reader, writer = os.pipe()
if os.fork() == 0:
    os.close(writer)
    os.read(reader, 1)  # until the parent is gone
    in_threads()
    print("child done", flush=True)
    os._exit(0)
os.close(reader)
print("parent done", flush=True)
""",
        1,
    ),
    "none": (f"{THREADS}\nin_threads()\nprint(counter)\n", 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_children(name: str, scripts: Scripts) -> None:
    source, children = SCRIPTS[name]
    script = scripts.write("script.py", source)
    here = "outlives" not in name  # else what that one prints may come when the recording has ended
    same = scripts.same(script, "argument", options=("-W", "ignore"), here=here)  # 3.12 warns of forks beside threads
    assert same == 0
    assert scripts.query("SELECT children, truncated, holes, missed FROM runs") == [(children, None, 0, 0)]
    within = "SELECT max(seq) <= (SELECT max(last_seq) FROM threads) FROM events"
    assert scripts.query(within) == [(1,)]
    told = f"Child processes: the script started {children} process" in " ".join(
        scripts.opcodetrace("report").stdout.decode().split()
    )
    assert told == (children > 0)
