"""A reader puts the old value into the cache after a writer has dropped it there: it is served for ever.

requires: simplekv==0.14.1
include: simplekv
expect: stale check, lost update, unguarded own write
at: simplekv/cache.py:CacheDecorator.get, simplekv/cache.py:CacheDecorator.put, simplekv/memory/__init__.py
"""

import threading
import time

from simplekv.cache import CacheDecorator
from simplekv.memory import DictStore


class Disk(DictStore):
    def get(self, key):
        value = super().get(key)
        time.sleep(0.001)
        return value

    def put(self, key, data):
        time.sleep(0.0005)
        return super().put(key, data)


disk = Disk()
store = CacheDecorator(cache=DictStore(), store=disk)
PAGES = 40
start = threading.Barrier(2)
for number in range(PAGES):
    disk.put(f"page-{number}", b"old")


def read():
    for number in range(PAGES):
        start.wait()
        store.get(f"page-{number}")


def write():
    for number in range(PAGES):
        start.wait()
        store.put(f"page-{number}", b"new")


threads = [threading.Thread(target=work) for work in (read, write)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
old = sum(store.get(f"page-{number}") == b"old" for number in range(PAGES))
print(f"RESULT {old} of {PAGES} pages are served as they were before they were written")
