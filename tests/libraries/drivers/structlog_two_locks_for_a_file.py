"""Loggers that print into the same file share a lock, which the first makes: two threads make one each.

requires: structlog==26.1.0
include: structlog
expect: stale check, unguarded check, inconsistent locking
at: structlog/_output.py
"""

import io
import threading

import structlog

ROUNDS = 300
files = [io.StringIO() for _ in range(ROUNDS)]
start = threading.Barrier(4)
loggers = [[] for _ in range(4)]
failures = []


def work(place):
    start.wait()
    for number, file in enumerate(files):
        try:
            logger = structlog.PrintLogger(file)
            loggers[place].append(logger)
            logger.info(f"worker {place} has begun with {number}")
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
several = sum(len({id(logger._lock) for logger in same}) > 1 for same in zip(*loggers, strict=True))
print(f"RESULT {several} of {ROUNDS} files have several locks, {len(failures)} failed")
