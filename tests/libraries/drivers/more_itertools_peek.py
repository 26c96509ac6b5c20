"""The next item is looked at, and taken by another thread before it is handed out.

requires: more-itertools==11.2.1
include: more_itertools.more
expect: failed access, unguarded check
at: more_itertools/more.py:peekable.peek
"""

import threading

from more_itertools import peekable

jobs = peekable(iter(range(60_000)))
failures = []
taken = []


def work():
    while True:
        try:
            if jobs.peek(None) is None:
                return
            taken.append(next(jobs, None))
        except IndexError as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} looks failed, {len(taken)} jobs were taken")
