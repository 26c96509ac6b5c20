"""Threads call a memoized function: each waits for the lock, and does not look again when it has it.

requires: web.py==0.76
include: web
expect: stale check
at: web/utils.py:Memoize.__call__, web/utils.py:Memoize.__call__.<locals>.update
"""

import threading
import time

from web.utils import memoize

calls = []


@memoize
def fetch(number):
    time.sleep(0.001)
    calls.append(number)
    return f"page {number}"


def serve():
    for number in range(20):
        fetch(number)


threads = [threading.Thread(target=serve) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(calls) - 20} calls too many were made for 20 pages")
