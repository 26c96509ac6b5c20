"""Threads import a module when they first need it. Python's import lock makes the module once."""

import threading

results = []
ready = threading.Barrier(4)
_json = None


def dumps(value):
    global _json
    if _json is None:
        import json

        _json = json
    return _json.dumps(value)


def work(number):
    ready.wait()
    for each in range(30):
        results.append(dumps([number, each]) == f"[{number}, {each}]")


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(results) and len(results) == 120
