"""A proxy for unique values looks whether a value was seen, and then remembers it: two threads get the same.

requires: Faker==40.63.0
include: faker.proxy
expect: stale check, unguarded check
at: faker/proxy.py
"""

import threading

from faker import Faker

fake = Faker()
fake.seed_instance(1)
unique = fake.unique
made = [[] for _ in range(4)]


def generate(mine):
    for _ in range(1000):
        mine.append(unique.random_int(0, 100000))


threads = [threading.Thread(target=generate, args=(mine,)) for mine in made]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
values = [value for mine in made for value in mine]
print(f"RESULT {len(values) - len(set(values))} of {len(values)} values are there twice")
