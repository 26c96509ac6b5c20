"""A more special method is registered while others call: the general one stays in the cache, and is called for good.

requires: multipledispatch==1.0.0
include: multipledispatch
expect: stale check, unguarded check
at: multipledispatch/dispatcher.py
"""

# A call that finds no method in the cache resolves one and puts it there. add() puts the new method in and clears
# the cache; a call that had resolved before that and stores after it brings the old answer back.

import threading
import warnings

from multipledispatch import Dispatcher

warnings.simplefilter("ignore")
KINDS = [type(f"Kind{number}", (), {}) for number in range(25)]
ROUNDS = 40
dispatchers = [Dispatcher(f"describe{number}") for number in range(ROUNDS)]
start = threading.Barrier(3, timeout=20)
failures = []


def call():
    for dispatcher in dispatchers:
        start.wait()
        for _ in range(3):
            for kind in KINDS:
                try:
                    dispatcher(kind())
                except (NotImplementedError, RuntimeError, KeyError) as error:
                    failures.append(error)


def register():
    for dispatcher in dispatchers:
        dispatcher.add((object,), lambda it: "an object")
        start.wait()
        for kind in KINDS:
            dispatcher.add((kind,), lambda it: "of a kind")


threads = [threading.Thread(target=work) for work in (call, call, register)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
old = [kind for dispatcher in dispatchers for kind in KINDS if dispatcher(kind()) == "an object"]
print(f"RESULT {len(old)} of {ROUNDS * len(KINDS)} kinds still have the old method, {len(failures)} calls failed")
