"""Two readers of a lock want to write, and neither gives up reading.

requires: readerwriterlock==1.0.10
include: readerwriterlock
expect: deadlock
at: readerwriterlock/rwlock.py
"""

import threading

from readerwriterlock import rwlock

lock = rwlock.RWLockFair()
prices = {"apple": 1}
changed = []


def change():
    for number in range(300):
        with lock.gen_rlock():
            if prices["apple"] < number and number % 50 == 49:
                with lock.gen_wlock():
                    prices["apple"] = number
                    changed.append(number)


threads = [threading.Thread(target=change, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(4)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still, {len(changed)} changes")
