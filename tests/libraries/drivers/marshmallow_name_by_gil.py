"""Two plugins register a schema by the same name: only the GIL keeps the second from replacing the first.

requires: marshmallow==4.4.0
include: marshmallow.class_registry
expect: unguarded check:gil-only
at: marshmallow/class_registry.py:register
"""

import threading

from marshmallow import Schema, class_registry

ROUNDS = 150


def load(place):
    for number in range(ROUNDS):
        type(f"Schema{number}", (Schema,), {"__module__": f"plugin{place}"})


threads = [threading.Thread(target=load, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(4 - len(class_registry.get_class(f"Schema{number}", all=True)) for number in range(ROUNDS))
print(f"RESULT {lost} of {4 * ROUNDS} schemas are gone")
