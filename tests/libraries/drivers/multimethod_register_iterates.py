"""To register a method goes over the cache of types while a call of another thread adds to it: RuntimeError.

requires: multimethod==2.1
include: multimethod
expect: changed while iterated, unguarded iteration
at: multimethod/__init__.py
"""

import threading

from multimethod import multimethod

failures = []
kinds = [type(f"Kind{number}", (), {}) for number in range(60)]


@multimethod
def show(value: object):
    return "object"


def call():
    for turn in range(150):
        for kind in kinds:
            try:
                show(kind())
            except Exception as error:
                failures.append(error)


def register():
    for number in range(200):
        kind = type(f"Registered{number}", (), {})

        def registered(value: kind):
            return "registered"

        try:
            show.register(registered)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for work in (call, call, register)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed: {sorted({type(error).__name__ for error in failures})}")
