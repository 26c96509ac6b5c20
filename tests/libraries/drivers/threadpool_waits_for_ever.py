"""Two threads wait for the same pool: one takes the last result, the other waits for ever.

requires: threadpool==1.3.2
include: threadpool
expect: stale check, lost notification, deadlock
at: threadpool.py:ThreadPool.poll, threadpool.py:ThreadPool.wait
"""

import threading
import time

import threadpool

pool = threadpool.ThreadPool(2)
results = []


def fetch(number):
    time.sleep(0.001)
    return number * number


def keep(request, result):
    time.sleep(0.001)
    results.append(result)


for request in threadpool.makeRequests(fetch, range(40), keep):
    pool.putRequest(request)
waiting = [threading.Thread(target=pool.wait, daemon=True) for _ in range(2)]
for thread in waiting:
    thread.start()
for thread in waiting:
    thread.join(1.5)
print(f"RESULT {sum(thread.is_alive() for thread in waiting)} of 2 threads wait for ever, {len(results)} results came")
