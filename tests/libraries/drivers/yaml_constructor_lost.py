"""Two threads each copy the constructors of a loader's class to add one: one of them is gone.

requires: PyYAML==6.0.4
include: yaml
expect: stale check, unguarded check
at: yaml/constructor.py
"""

import threading

import yaml

ready = threading.Barrier(4)
ROUNDS = 250
loaders = [type(f"Loader{number}", (yaml.SafeLoader,), {}) for number in range(ROUNDS)]


def work(place):
    for loader in loaders:
        ready.wait()
        yaml.add_constructor(f"!part{place}", lambda loader, node: place, Loader=loader)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(f"!part{place}" not in loader.yaml_constructors for loader in loaders for place in range(4))
print(f"RESULT {lost} of {4 * ROUNDS} constructors are gone")
