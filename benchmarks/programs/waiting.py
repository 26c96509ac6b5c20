"""Many threads that wait for each other: all at one Barrier, or four at a time for Events, a Semaphore and a Queue."""

import sys
import threading
from queue import Queue
from threading import Barrier, Event, Lock, Semaphore, Thread

threading.stack_size(1 << 16)
what, number = sys.argv[1], int(sys.argv[2])
barrier, places, results = Barrier(number), Semaphore(3), Queue()
outer, inner = Lock(), Lock()
first, second, third = [0], [0], [0]


def together():
    with outer:
        first[0] += 1
    barrier.wait()


def in_turn(ready):
    ready.wait()
    with outer:
        first[0] += 1
        with inner:
            second[0] += 1
    with places:
        third[0] += 1
    results.put(1)


if what == "barrier":
    threads = [Thread(target=together) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    for _ in range(number // 4):
        events = [Event() for _ in range(4)]
        threads = [Thread(target=in_turn, args=(event,)) for event in events]
        for thread in threads:
            thread.start()
        for event in events:
            event.set()
        for thread in threads:
            results.get()
            thread.join()
