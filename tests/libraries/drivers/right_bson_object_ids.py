"""Threads make ids, which a counter that they share, under a lock, makes different.

requires: pymongo==4.20.1
include: bson
expect: nothing
"""

import threading

from bson.objectid import ObjectId

ids = [[] for _ in range(4)]
failures = []


def work(place):
    for _ in range(600):
        try:
            ids[place].append(ObjectId())
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
different = {each for part in ids for each in part}
print(f"RESULT {len(different)} different ids of 2400, {len(failures)} failed")
