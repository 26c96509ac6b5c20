"""The cache of queries moves a key to its end that another thread's insertion has just cleared: KeyError.

requires: tinydb==4.9.0
include: tinydb
expect: failed access
at: tinydb/utils.py
"""

import threading

from tinydb import TinyDB, where
from tinydb.storages import MemoryStorage

database = TinyDB(storage=MemoryStorage)
database.insert({"kind": 1})
failures = []


def search():
    for _ in range(1500):
        for kind in range(8):
            try:
                database.search(where("kind") == kind)
            except (KeyError, RuntimeError) as error:
                failures.append(error)


def clear():
    for _ in range(1500):
        database.clear_cache()
        for kind in range(8):
            try:
                database.search(where("kind") == kind)
            except (KeyError, RuntimeError) as error:
                failures.append(error)


threads = [threading.Thread(target=work) for work in (search, search, clear)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} searches failed")
