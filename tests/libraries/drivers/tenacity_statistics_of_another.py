"""Calls of a function that tries again share their statistics: one that begins clears those of another.

requires: tenacity==9.2.1
include: tenacity
expect: lost update, unguarded update, overwritten before read, unguarded own write, failed access
at: tenacity/__init__.py
"""

import threading
import time

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_none

CALLS = 60
start = threading.Barrier(4)
got = []
wrong = []
failures = []


@retry(retry=retry_if_exception_type(ConnectionError), stop=stop_after_attempt(5), wait=wait_none())
def fetch(attempts):
    attempts.append(1)
    time.sleep(0.0005)
    if len(attempts) < 4:
        raise ConnectionError
    return len(attempts)


def work():
    start.wait()
    for _ in range(CALLS):
        try:
            got.append(fetch([]))
            if fetch.statistics["attempt_number"] != 4:
                wrong.append(got[-1])
        except KeyError as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(got)} of {4 * CALLS} fetched, {len(wrong)} told wrong, {len(failures)} failed: {failures[:1]}")
