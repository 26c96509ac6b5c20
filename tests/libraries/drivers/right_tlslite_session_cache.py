"""Server threads keep their sessions in one cache, which locks itself and drops the oldest.

requires: tlslite-ng==0.8.2
include: tlslite
expect: nothing
"""

import threading

from tlslite.api import Session, SessionCache

cache = SessionCache(maxEntries=1000)
found = []
wrong = []


def session(name):
    made = Session()
    made.sessionID = name
    made.resumable = True
    return made


def serve(place):
    for number in range(300):
        name = b"%d-%d" % (place, number)
        cache[name] = session(name)
        try:
            kept = cache[b"%d-%d" % ((place - 1) % 4, number // 3)]
        except KeyError:
            continue
        found.append(kept)
        if kept.sessionID != b"%d-%d" % ((place - 1) % 4, number // 3):
            wrong.append(kept)


threads = [threading.Thread(target=serve, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT nothing went wrong: {len(wrong)} of {len(found)} sessions found were another's, "
    f"{len(cache.entriesDict)} are kept"
)
