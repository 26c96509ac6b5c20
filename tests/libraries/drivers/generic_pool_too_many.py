"""Two threads each find room for one more item: the pool makes more than its maximum.

requires: generic-pool==0.1.2
include: generic_pool
expect: stale check, unguarded check
at: generic_pool/pool.py
"""

import queue
import threading
import time

from generic_pool import Factory, Pool


class Connections(Factory):
    def create(self):
        time.sleep(0.001)  # connects
        return [0]

    def validate(self, item):
        return bool(item)

    def destroy(self, item):
        item.clear()


ROUNDS = 100
pools = [Pool(Connections(), maxsize=1) for _ in range(ROUNDS)]


def take():
    for pool in pools:
        try:
            pool.acquire()
        except queue.Full:
            pass


threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(len(pool._items) > 1 for pool in pools)} of {ROUNDS} pools of one item have more")
