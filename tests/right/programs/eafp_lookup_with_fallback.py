"""A lookup that may fail, and a fallback that is right whenever the entry is missing.

Nothing is checked beforehand.
"""

import threading

overrides = {}
DEFAULTS = {"lang": "en", "zone": "utc", "size": "m"}
wrong = []
ready = threading.Barrier(4)


def setting(name):
    try:
        return overrides[name]
    except KeyError:
        return DEFAULTS[name]


def admin():
    ready.wait()
    for number in range(90):
        name = ("lang", "zone", "size")[number % 3]
        overrides[name] = f"{name}!"
        del overrides[name]


def user():
    ready.wait()
    for number in range(120):
        name = ("lang", "zone", "size")[number % 3]
        if setting(name) not in (DEFAULTS[name], f"{name}!"):
            wrong.append(name)


threads = [threading.Thread(target=admin)] + [threading.Thread(target=user) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong and overrides == {}
