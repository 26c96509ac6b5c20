"""A key is looked for and then deleted, which only the GIL keeps together.

requires: cachy==0.3.0
include: cachy
expect: failed access, unguarded check:gil-only
at: cachy/stores/dict_store.py:DictStore.forget
"""

import threading

from cachy import CacheManager

cache = CacheManager({"default": "dict", "stores": {"dict": {"driver": "dict"}}}).store()
ROUNDS = 300
for number in range(ROUNDS):
    cache.forever(f"job{number}", number)
failures = []
taken = []
ready = threading.Barrier(3)


def work():
    for number in range(ROUNDS):
        ready.wait()
        try:
            if cache.forget(f"job{number}"):
                taken.append(number)
        except KeyError as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(taken)} of {ROUNDS} jobs taken, {len(failures)} calls failed")
