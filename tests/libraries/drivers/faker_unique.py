"""Two callers are given the same unique value.

requires: Faker==40.63.0
include: faker.proxy
expect: stale check, unguarded check
at: faker/proxy.py
"""

import threading

from faker import Faker

fake = Faker()
barrier = threading.Barrier(4)
given, failures = [], []


def take():
    barrier.wait()
    for _ in range(400):
        try:
            given.append(fake.unique.random_int(0, 20000))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(given) - len(set(given))} values given twice, {len(failures)} failures of 1600")
