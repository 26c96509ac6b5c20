"""A counter is increased under a lock, and read again without it: two callers get the same number.

requires: huey==3.5.4
include: huey.storage
expect: overwritten before read, unguarded own write
at: huey/storage.py:MemoryStorage.incr
"""

import threading

from huey.storage import MemoryStorage

storage = MemoryStorage("numbers")
numbers = []


def draw():
    for _ in range(5000):
        numbers.append(storage.incr("ticket"))


threads = [threading.Thread(target=draw) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(numbers) - len(set(numbers))} of {len(numbers)} numbers were given twice")
