"""A cache counts the bytes of what it throws out and of what comes in: threads count in between, and the sum is wrong.

requires: cachey==0.2.1
include: cachey
expect: lost update, unguarded update
at: cachey/cache.py
"""

import threading

from cachey import Cache

cache = Cache(20_000, limit=0)
ROUNDS = 300
start = threading.Barrier(4)
failures = []


def work(place):
    start.wait()
    for number in range(ROUNDS):
        try:
            cache.put((place, number % 70), "x" * 500, cost=number % 13 + 1, nbytes=500 + place)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {cache.total_bytes} bytes are counted, {sum(cache.nbytes.values())} are there, {len(failures)} failed")
