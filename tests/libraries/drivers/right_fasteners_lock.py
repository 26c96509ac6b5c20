"""Writers and readers of the same dict take a readers-writer lock.

requires: fasteners==0.20
include: fasteners
expect: nothing
"""

import threading

from fasteners import ReaderWriterLock

lock = ReaderWriterLock()
stock = {"apple": 0, "pear": 0}
wrong = []


def write():
    for _ in range(200):
        with lock.write_lock():
            stock["apple"] += 1
            stock["pear"] += 1


def read():
    for _ in range(200):
        with lock.read_lock():
            if stock["apple"] != stock["pear"]:
                wrong.append(dict(stock))


threads = [threading.Thread(target=work) for work in (write, write, read, read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {stock} after 400 writes, {len(wrong)} wrong reads")
