"""The readers of a dictionary share one object of the read lock, which is one reader's: the other cannot let go.

requires: contradict==2.0.1, hipster==3.0.5, readerwriterlock==1.0.10
include: contradict, hipster, readerwriterlock
expect: deadlock, overwritten before read, stale check, lost update
at: readerwriterlock/rwlock.py:RWLockFair._aReader.acquire, readerwriterlock/rwlock.py:RWLockFair._aReader.release
"""

import threading
import time

from contradict.sorted_dict import SortedDict


class Key(str):
    def __hash__(self):
        time.sleep(0.0005)
        return str.__hash__(self)

    def __eq__(self, other):
        return str.__eq__(self, other)


prices = SortedDict()
for number in range(20):
    prices.set(f"item {number}", number)
ready = threading.Barrier(4)
failed = []


def read(place):
    ready.wait()
    for number in range(100):
        try:
            prices.get(Key(f"item {number % 20}"))
        except RuntimeError as error:
            failed.append(error)


def write():
    ready.wait()
    for number in range(20):
        prices.set(f"item {number}", number + 1)
        time.sleep(0.001)


threads = [threading.Thread(target=read, args=(place,), daemon=True) for place in range(3)]
threads.append(threading.Thread(target=write, daemon=True))
for thread in threads:
    thread.start()
end = time.monotonic() + 2
for thread in threads:
    thread.join(max(0, end - time.monotonic()))
print(f"RESULT {len(failed)} readers failed, {sum(thread.is_alive() for thread in threads)} threads stand still")
