"""Threads count by $inc, which a database does in one step: the mock reads and writes, and a count in between is lost.

requires: mongomock==4.3.0
include: mongomock
expect: lost update, unguarded update
at: mongomock/collection.py
"""

import threading

import mongomock

pages = mongomock.MongoClient().site.pages
NAMES = [f"page {number}" for number in range(4)]
pages.insert_many({"_id": name, "visits": 0} for name in NAMES)
VISITS = 120
failures = []


def visit():
    for number in range(VISITS):
        try:
            pages.update_one({"_id": NAMES[number % len(NAMES)]}, {"$inc": {"visits": 1}})
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=visit) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counted = sum(page["visits"] for page in pages.find())
print(f"RESULT {counted} of {4 * VISITS} visits were counted, {len(failures)} failed")
