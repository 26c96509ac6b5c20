"""Annotations are resolved by the first call; another thread meanwhile finds none pending, and no method.

requires: multimethod==2.1
include: multimethod
expect: stale check, unguarded check, failed access
at: multimethod/__init__.py:multimethod.evaluate
"""

import threading

from multimethod import DispatchError, multimethod

failures = []
ROUNDS = 120
functions = []
for _ in range(ROUNDS):

    @multimethod
    def area(shape: "Shape"):
        return 1

    functions.append(area)
    del area


class Shape:
    pass


def call():
    for function in functions:
        try:
            function(Shape())
        except (DispatchError, KeyError) as error:
            failures.append(error)


threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls found no method")
