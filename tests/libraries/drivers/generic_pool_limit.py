"""Several threads make one more item than a pool may have.

requires: generic-pool==0.1.2
include: generic_pool
expect: stale check, unguarded check
at: generic_pool/pool.py
"""

import threading
import time

from generic_pool import Factory, Pool


class Connections(Factory):
    def create(self):
        time.sleep(0.0005)
        return object()


most, failures = 0, []
for _ in range(60):
    pool = Pool(Connections(), maxsize=2)
    barrier = threading.Barrier(4)

    def use(pool=pool, barrier=barrier):
        barrier.wait()
        try:
            pool.acquire()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    most = max(most, len(pool._items))
print(f"RESULT {most} items in a pool of 2; {len(failures)} were refused")
