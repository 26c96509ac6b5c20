"""Threads append to the same store of bytes, which buffers under its lock and moves the largest keys out.

requires: partd==1.4.2
include: partd
expect: nothing
"""

import threading

import partd

APPENDS = 400
store = partd.Buffer(partd.Dict(), partd.Dict(), available_memory=2000)


def work(place):
    for number in range(APPENDS):
        store.append({f"key{number % 7}": f"{place}{number:03};".encode()})


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
there = sum(part.count(b";") for part in store.get([f"key{number}" for number in range(7)]))
print(f"RESULT {there} of {3 * APPENDS} pieces are there")
