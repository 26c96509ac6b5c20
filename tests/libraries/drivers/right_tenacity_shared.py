"""Threads call functions by the same object that tries again: its statistics are kept for each thread.

requires: tenacity==9.2.1
include: tenacity
expect: nothing
"""

import threading

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_none

got = []
failures = []


def fetch(attempts):
    attempts.append(1)
    if len(attempts) < 3:
        raise ConnectionError
    return len(attempts)


shared = Retrying(retry=retry_if_exception_type(ConnectionError), stop=stop_after_attempt(4), wait=wait_none())


def work():
    for _ in range(120):
        try:
            got.append(shared(fetch, []))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {got.count(3)} of 480 calls were right at their third attempt, {len(failures)} failed")
