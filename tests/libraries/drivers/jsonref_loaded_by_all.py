"""Threads follow references into one document: each finds it not loaded yet, and loads it.

requires: jsonref==1.1.0
include: jsonref, proxytypes
expect: stale check
at: jsonref.py:JsonRef.callback, jsonref.py:_replace_refs
"""

import threading
import time

import jsonref

loaded = []


def load(uri):
    loaded.append(uri)
    time.sleep(0.002)
    return {"definitions": {f"part{number}": {"type": "object", "title": f"Part {number}"} for number in range(6)}}


schema = jsonref.replace_refs(
    {
        "properties": {
            f"part{number}": {"$ref": f"http://schemas.example/parts.json#/definitions/part{number}"}
            for number in range(6)
        }
    },
    loader=load,
)
ready = threading.Barrier(6)
titles = []


def check(place):
    ready.wait()
    titles.append(schema["properties"][f"part{place}"]["title"])


threads = [threading.Thread(target=check, args=(place,)) for place in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT the document was loaded {len(loaded)} times, not once")
