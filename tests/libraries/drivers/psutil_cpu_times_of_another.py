"""Threads ask how busy the processor was since they last asked: one is told of the time since another did.

requires: psutil==5.9.5
include: psutil
expect: overwritten before read, unguarded own write, lost update, unguarded update
at: psutil/__init__.py:cpu_percent
"""

# cpu_percent() takes the last times from a global, puts the present ones there, and reads the global again for the
# difference. Another caller puts its own there in between, even older ones: the percentage is of no interval at all.

import threading

import psutil

ASKS = 400
odd = []
start = threading.Barrier(4, timeout=20)
psutil.cpu_percent()
psutil.cpu_percent(percpu=True)


def work():
    start.wait()
    for number in range(ASKS):
        busy = psutil.cpu_percent()
        each = psutil.cpu_percent(percpu=True)
        if not 0 <= busy <= 100 or len(each) != psutil.cpu_count():
            odd.append(number)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(odd)} of {4 * ASKS} answers are odd")
