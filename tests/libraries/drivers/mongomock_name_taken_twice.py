"""Threads insert a document of the same id: only one may, but the mock looks for the id and stores the document later.

requires: mongomock==4.3.0
include: mongomock
expect: stale check, unguarded check
at: mongomock/collection.py
"""

import threading

import mongomock
from mongomock import DuplicateKeyError

jobs = mongomock.MongoClient().work.jobs
ROUNDS = 250
taken = []
failures = []


def take(worker):
    for number in range(ROUNDS):
        try:
            jobs.insert_one({"_id": f"job {number}", "worker": worker})
            taken.append(number)
        except DuplicateKeyError:
            pass
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=take, args=(f"worker {place}",)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {ROUNDS} jobs were taken {len(taken)} times, {len(failures)} failed")
