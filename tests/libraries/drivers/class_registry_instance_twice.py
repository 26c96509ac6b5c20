"""Threads ask a cache of instances for the same one: it is made twice, and listed twice for ever.

requires: phx-class-registry==5.2.2
include: class_registry
expect: stale check, failed access
at: class_registry/cache.py:ClassRegistryInstanceCache.__getitem__
"""

import threading
import time

from class_registry import ClassRegistry
from class_registry.cache import ClassRegistryInstanceCache

formats = ClassRegistry()
made = []
for number in range(15):

    @formats.register(f"format{number}")
    class Writer:
        def __init__(self):
            time.sleep(0.001)
            made.append(self)


writers = ClassRegistryInstanceCache(formats)


def serve():
    for number in range(15):
        writers[f"format{number}"]


threads = [threading.Thread(target=serve) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made) - 15} writers too many were made, {len(list(writers)) - 15} too many are listed")
