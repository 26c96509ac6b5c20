"""Each insertion reads the whole table, adds to a copy of it and writes that back.

requires: tinydb==4.9.0
include: tinydb
expect: lost update, stale check
at: tinydb/table.py, tinydb/storages.py
"""

import threading

from tinydb import TinyDB
from tinydb.storages import MemoryStorage

database = TinyDB(storage=MemoryStorage)
failures = []
EACH = 60


def insert(who):
    for number in range(EACH):
        try:
            database.insert({"who": who, "number": number})
        except (ValueError, RuntimeError) as error:
            failures.append(error)


threads = [threading.Thread(target=insert, args=(who,)) for who in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(database)} of {4 * EACH} documents are there, {len(failures)} insertions failed")
