"""A queue finds nothing, and then clears the event: an item that came in between is not seen for ten seconds.

requires: persist-queue==1.1.0
include: persistqueue
expect: lost notification
at: persistqueue/sqlbase.py
"""

import threading

from persistqueue import SQLiteQueue

queue = SQLiteQueue(":memory:", multithreading=True, auto_commit=True)
asked, taken = threading.Semaphore(0), []


def consume():
    for _ in range(300):
        asked.release()
        taken.append(queue.get())


def produce():
    for number in range(300):
        asked.acquire()
        queue.put(number)


threads = [threading.Thread(target=target, daemon=True) for target in (consume, produce)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(4)
print(f"RESULT {len(taken)} of 300 items were taken in time")
