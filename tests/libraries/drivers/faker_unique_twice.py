"""A proxy for unique values looks whether a value was seen, then remembers it; the GIL alone keeps two from the same.

requires: Faker==40.63.0
include: faker.proxy
expect: stale check, unguarded check:gil-only
at: faker/proxy.py
"""

import threading

from faker import Faker
from faker.proxy import UniqueProxy

ROUNDS = 1500
fake = Faker()
fake.seed_instance(1)
proxies = [UniqueProxy(fake) for _ in range(ROUNDS)]
made = [[] for _ in range(4)]


def generate(mine):
    for unique in proxies:
        mine.append(unique.random_int(0, 5))


threads = [threading.Thread(target=generate, args=(mine,)) for mine in made]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len(set(values)) < 4 for values in zip(*made))
print(f"RESULT of {twice} of {ROUNDS} proxies two threads got the same value")
