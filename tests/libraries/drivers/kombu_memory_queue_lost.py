"""Two producers make the same in-memory queue: a message goes to the one that is overwritten.

requires: kombu==5.7.0
include: kombu.transport.memory
expect: stale check, unguarded check
at: kombu/transport/memory.py
"""

import threading

from kombu import Connection

ready = threading.Barrier(4)
ROUNDS = 60
failures = []


def work(place):
    with Connection("memory://") as connection:
        for number in range(ROUNDS):
            ready.wait()
            try:
                queue = connection.SimpleQueue(f"jobs{number}")
                queue.put({"from": place})
            except Exception as error:
                failures.append(error)
        ready.wait()


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with Connection("memory://") as connection:
    channel = connection.channel()
    there = sum(channel._size(f"jobs{number}") for number in range(ROUNDS))
print(f"RESULT {4 * ROUNDS - there} messages lost, {len(failures)} calls failed")
