"""Threads increment a counter of a document in memory: two read the same document, and one of the increments is lost.

requires: montydb==2.5.6
include: montydb
expect: lost update
at: montydb/collection.py:MontyCollection.update_one, montydb/storage/memory.py
"""

import threading

from montydb import MontyClient

COUNT = 300
collection = MontyClient(":memory:").shop.counters
collection.insert_one({"_id": "orders", "count": 0})


def order():
    for _ in range(COUNT):
        collection.update_one({"_id": "orders"}, {"$inc": {"count": 1}})


threads = [threading.Thread(target=order) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
count = collection.find_one({"_id": "orders"})["count"]
print(f"RESULT {4 * COUNT - count} of {4 * COUNT} orders were not counted")
