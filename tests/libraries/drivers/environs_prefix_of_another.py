"""Threads read their settings with a prefix each, from the same environment: one reads with the other's prefix.

requires: environs==15.2.0
include: environs
expect: overwritten before read, unguarded own write, stale check, unguarded check
at: environs/__init__.py
"""

# The prefix of a block is kept in an attribute of the environment, and each read takes it from there. Another thread
# that enters or leaves a block meanwhile sets it to both prefixes, its own, or none.

import os
import threading

from environs import Env, EnvError

ROUNDS = 1000
for place in range(3):
    os.environ[f"PART{place}_HOST"] = f"host{place}"
    os.environ[f"PART{place}_PORT"] = str(8000 + place)
env = Env()
wrong = []
failures = []
start = threading.Barrier(3, timeout=20)


def work(place):
    start.wait()
    for _ in range(ROUNDS):
        try:
            with env.prefixed(f"PART{place}_"):
                found = env.str("HOST"), env.int("PORT")
            if found != (f"host{place}", 8000 + place):
                wrong.append(found)
        except EnvError as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {3 * ROUNDS} settings were those of another, {len(failures)} were not found")
