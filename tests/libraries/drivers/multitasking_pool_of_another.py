"""Threads create a pool of tasks each: one's size is written into the other's pool, and its own pool is not there.

requires: multitasking==0.0.13
include: multitasking
expect: overwritten before read, unguarded own write
at: multitasking/__init__.py
"""

# createPool() writes the name into the shared configuration, prepares the pool, and puts it in under the name that
# it reads back from there. If another thread created a pool meanwhile, that is the other's name.

import threading

import multitasking

ROUNDS = 1500
start = threading.Barrier(3, timeout=20)


def work(place):
    for number in range(ROUNDS):
        start.wait()
        multitasking.createPool(f"pool{place}x{number}", threads=2 + place)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
pools = multitasking.config["POOLS"]
names = [(f"pool{place}x{number}", 2 + place) for place in range(3) for number in range(ROUNDS)]
missing = sum(name not in pools for name, _ in names)
wrong = sum(pools[name]["threads"] != size for name, size in names if name in pools)
print(f"RESULT of {len(names)} pools {missing} are missing, {wrong} have the size of another")
