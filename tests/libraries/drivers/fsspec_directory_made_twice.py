"""Threads make a directory of the same name, which only one may: the file system looks first, and adds it later.

requires: fsspec==2026.9.0
include: fsspec
expect: stale check, unguarded check
at: fsspec/implementations/memory.py:MemoryFileSystem.mkdir
"""

import threading

import fsspec

ROUNDS = 400
start = threading.Barrier(4)
made = []
failures = []


def claim():
    files = fsspec.filesystem("memory")
    start.wait()
    for number in range(ROUNDS):
        try:
            files.mkdir(f"/job-{number}", create_parents=False)
            made.append(number)
        except FileExistsError:
            pass
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=claim) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
listed = fsspec.filesystem("memory").ls("/", detail=False)
print(f"RESULT {ROUNDS} directories were made {len(made)} times, {len(listed)} are listed, {len(failures)} failed")
