"""The counter of a factory is made by its first use: two threads make one each, and both begin with the same number.

requires: factory_boy==3.3.3
include: factory
expect: stale check, unguarded check
at: factory/base.py:FactoryOptions._initialize_counter
"""

import threading
import time

import factory

ROUNDS = 60


def users():
    class Users(factory.Factory):
        class Meta:
            model = dict

        number = factory.Sequence(lambda n: n)

        @classmethod
        def _setup_next_sequence(cls):  # asks the database
            time.sleep(0.001)
            return 0

    return Users


factories = [users() for _ in range(ROUNDS)]
made = [[] for _ in range(4)]


def make(mine):
    for each in factories:
        mine.append(each()["number"])


threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len(set(numbers)) != 4 for numbers in zip(*made))
print(f"RESULT {twice} of {ROUNDS} factories gave a number twice")
