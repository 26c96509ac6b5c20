"""A type may be defined once: two threads that do it at the same time both get through.

requires: lagom==2.7.7
include: lagom
expect: stale check, unguarded check
at: lagom/container.py:Container.define
"""

import threading

from lagom import Container
from lagom.exceptions import DuplicateDefinition

container = Container()
ROUNDS = 1200
types = [type(f"Service{number}", (), {}) for number in range(ROUNDS)]
defined = []
refused = []


def define():
    for each in types:
        try:
            container.define(each, lambda: object())
            defined.append(each)
        except DuplicateDefinition as error:
            refused.append(error)


threads = [threading.Thread(target=define) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(defined)} definitions of {ROUNDS} types were taken")
