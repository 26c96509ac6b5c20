"""Code in other interpreters of the process runs as it does without us, and is not recorded."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recording import Recording

# Beside two threads that count, three have an interpreter each work with all that the probe looks at.
SCRIPT = """
import threading
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
run = getattr(interpreters, "exec", None) or interpreters.run_string  # as of 3.13, and before

ELSEWHERE = '''
import collections, queue, threading
Point = collections.namedtuple("Point", "x y")
lock, box, items, table = threading.Lock(), queue.Queue(), [], {}
for number in range(5000):
    with lock:
        items.append(number)
    box.put(number)
    table[number % 7] = box.get()
    items.pop()
exec("def generated(): return len(items)")
assert generated() == 0 and Point(1, 2).y == 2
'''
here = threading.Lock()
counter = [0]

def elsewhere():
    interpreter = interpreters.create()
    try:
        failed = run(interpreter, ELSEWHERE)
        if failed: print(failed)
    finally:
        interpreters.destroy(interpreter)

def count():
    for _ in range(5000):
        here.acquire()
        counter[0] += 1
        here.release()

threads = []
for target in elsewhere, elsewhere, elsewhere, count, count: threads.append(threading.Thread(target=target))
for thread in threads: thread.start()
for thread in threads: thread.join()
print(counter)
"""

POOL = """
from concurrent.futures import InterpreterPoolExecutor

def work(number):
    import collections
    Point = collections.namedtuple("Point", "x y")
    exec("def generated(): return number", globals() | {"number": number})
    return Point(number, [number].pop()).y

if __name__ == "__main__":
    with InterpreterPoolExecutor(2) as pool:
        print(list(pool.map(work, range(4))))
"""


def recorded_as_plain(record: Callable[..., Recording], script: Path) -> Recording:
    plain = subprocess.run([sys.executable, script], capture_output=True, text=True)
    recording = record(script)
    assert (recording.exit_code, recording.stdout) == (plain.returncode, plain.stdout), recording.stderr
    assert plain.returncode == 0, plain.stderr
    return recording


def test_interpreters_beside_the_recorded_one(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "beside.py"
    script.write_text(SCRIPT)
    recording = recorded_as_plain(record, script)
    assert recording.stdout == "[10000]\n"
    assert recording.lost() == {}
    assert recording.query("SELECT functions FROM runs") == [(3,)]  # none that was made elsewhere
    (events,) = recording.query("SELECT count(*) FROM accesses WHERE location = 'counter[0]'")
    assert events == (20_000,)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="there is no InterpreterPoolExecutor before")
def test_a_pool_of_interpreters(record: Callable[..., Recording], tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    assert recorded_as_plain(record, script).stdout == "[0, 1, 2, 3]\n"
