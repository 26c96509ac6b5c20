"""Tasks write under the lock of a reader-writer lock, and two have it at a time.

requires: aiorwlock==1.1.0
include: aiorwlock
expect: stale check, unguarded check, write skew, intermediate read, read skew
at: aiorwlock/__init__.py
"""

# A release that leaves the lock free wakes a waiter, which does not look at the state again before it takes the lock.
# A task that comes in between finds the lock free, and takes it too.

import asyncio

from aiorwlock import RWLock

ROUNDS = 200
inside = 0
together = 0


async def write(lock):
    global inside, together
    for _ in range(ROUNDS):
        async with lock.writer_lock:
            inside += 1
            together += inside > 1
            await asyncio.sleep(0)
            inside -= 1


async def main():
    lock = RWLock(fast=True)
    await asyncio.gather(*(write(lock) for _ in range(4)))


asyncio.run(main())
print(f"RESULT {together} of {4 * ROUNDS} writers were not alone")
