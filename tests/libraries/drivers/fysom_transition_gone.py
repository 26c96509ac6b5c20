"""Threads fire events of the same machine: one's transition is finished by another, and is gone.

requires: fysom==2.1.6
include: fysom
expect: failed access, stale check
at: fysom/__init__.py
"""

import threading

from fysom import Fysom, FysomError

door = Fysom(initial="closed", events=[("push", "closed", "opened"), ("push", "opened", "closed")])
refused = []
failures = []


def work():
    for _ in range(1000):
        try:
            door.push()
        except FysomError as error:
            refused.append(error)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(refused)} of 4000 events were refused, {len(failures)} failed: {failures[:1]}")
