"""Threads borrow objects from a pool and give them back under its lock: no two have the same object.

requires: pondpond==1.4.1, madoka==0.7.2.1
include: pond
expect: nothing
"""

import threading
import time

from pond import Pond, PooledObject, PooledObjectFactory

ROUNDS = 150
shared = []


class Printer:
    def __init__(self):
        self.user = None


class Printers(PooledObjectFactory):
    def createInstance(self):
        return PooledObject(Printer())

    def destroy(self, pooled_object):
        del pooled_object

    def reset(self, pooled_object, **options):
        pooled_object.keeped_object.user = None
        return pooled_object

    def validate(self, pooled_object):
        return pooled_object.keeped_object is not None


pool = Pond(time_between_eviction_runs=-1)
factory = Printers(pooled_maxsize=3, least_one=False)
pool.register(factory)


def work():
    me = threading.get_ident()
    for _ in range(ROUNDS):
        borrowed = pool.borrow(factory)
        printer = borrowed.use()
        if printer.user is not None:
            shared.append(printer)
        printer.user = me
        time.sleep(0.0002)  # prints
        if printer.user != me:
            shared.append(printer)
        pool.recycle(borrowed, factory)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT nothing wrong: {len(shared)} printers were used by two, {pool.pooled_object_size(factory)} are in the pool"
)
