"""The lock of a key is thrown away with its expired counter, so two threads count under two locks.

requires: limits==5.8.0
include: limits
expect: stale check, unguarded check, lost update, unguarded update, failed access, inconsistent locking
at: limits/storage/memory.py
"""

import threading

from limits.storage import MemoryStorage

storage = MemoryStorage()
ROUNDS = 5000


def hit():
    for number in range(ROUNDS):
        storage.incr(f"user/{number}", 60)


threads = [threading.Thread(target=hit) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(storage.get(f"user/{number}") != 4 for number in range(ROUNDS))
print(f"RESULT of {lost} of {ROUNDS} counters a hit is lost")
