"""The first threads that call a function work out the types of its methods, each of them: calls fail.

requires: plum-dispatch==2.5.7
include: plum
expect: stale check, unguarded check, lost update, unguarded update, failed access, stale container, unguarded iteration
at: plum/function.py, plum/resolver.py, plum/signature.py
"""

# _resolve_pending_registrations() walks the methods that wait, replaces their annotations, which are text, by types,
# and then forgets them. It has no lock: a thread that does so at the same time finds annotations that are types.

from __future__ import annotations

import threading

from plum import Dispatcher

ROUNDS = 300
dispatch = Dispatcher()
start = threading.Barrier(3, timeout=20)
failures = []


def make(number):
    def area(shape: int):
        return "int"

    def area_of_text(shape: str):
        return "str"

    def area_of_number(shape: float):
        return "float"

    function = None
    for method in (area, area_of_text, area_of_number):
        method.__name__ = method.__qualname__ = f"area{number}"
        function = dispatch(method)
    return function


functions = [make(number) for number in range(ROUNDS)]


def work():
    for function in functions:
        start.wait()
        for value in (1, "", 0.5):
            try:
                if function(value) != type(value).__name__:
                    failures.append(value)
            except Exception as error:
                failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {9 * ROUNDS} calls failed")
