"""Threads clear the same directories away: one looks for a directory and then removes it, and it is gone.

requires: fsspec==2026.9.0
include: fsspec
expect: failed access, stale check, unguarded check
at: fsspec/implementations/memory.py:MemoryFileSystem.rmdir
"""

import threading

import fsspec

ROUNDS = 250
files = fsspec.filesystem("memory")
for number in range(ROUNDS):
    files.mkdir(f"/job-{number}")
start = threading.Barrier(4)
removed = []
failures = []


def clear():
    files = fsspec.filesystem("memory")
    start.wait()
    for number in range(ROUNDS):
        try:
            files.rmdir(f"/job-{number}")
            removed.append(number)
        except FileNotFoundError:
            pass
        except ValueError as error:
            failures.append(error)


threads = [threading.Thread(target=clear) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {ROUNDS} directories were removed {len(removed)} times, {len(failures)} removals failed")
