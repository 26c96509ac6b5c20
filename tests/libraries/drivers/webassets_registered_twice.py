"""Two different bundles of one name are registered, and none is refused.

requires: webassets==3.0.0
include: webassets.env
expect: stale check, unguarded check
at: webassets/env.py:BundleRegistry.register
"""

import threading

from webassets import Bundle, Environment
from webassets.env import RegisterError

ready = threading.Barrier(4)
ROUNDS = 400
environments = [Environment("static", "/static") for _ in range(ROUNDS)]
accepted = []


def work(place):
    for environment in environments:
        ready.wait()
        try:
            environment.register("all", Bundle(f"{place}.js"))
            accepted.append(place)
        except RegisterError:
            pass


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(accepted)} bundles were accepted for {ROUNDS} names")
