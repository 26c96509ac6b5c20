"""The first tasks are started by several threads: each of these makes the one event loop.

requires: unsync==1.4.0
include: unsync
expect: stale check, unguarded check, overwritten before read, unguarded own write
at: unsync/unsync.py
"""

# The one event loop is made at its first use: looked for, set as an attribute, and given to a thread, each time read
# from the attribute. Of several made at a time one stays: the others run for nothing, or, if two threads are started
# for the last one, the loop to which a task was given is run by nobody.

import asyncio
import concurrent.futures
import threading

from unsync import unsync

THREADS = 6
start = threading.Barrier(THREADS, timeout=20)
done = []
waiting = []


@unsync
async def double(number):
    await asyncio.sleep(0.001)
    return 2 * number


def work(number):
    start.wait()
    try:
        done.append(double(number).result(timeout=2))
    except (concurrent.futures.TimeoutError, TimeoutError) as error:
        waiting.append(error)


threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(4)
loops = sum(thread.name.startswith("Thread") and thread not in threads for thread in threading.enumerate())
print(f"RESULT {len(done)} of {THREADS} tasks are done, {loops} threads run an event loop")
