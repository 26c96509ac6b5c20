"""Entries of a cache that are too old are counted and taken out by two threads.

requires: funcy==2.1
include: funcy
expect: failed access, unguarded check
at: funcy/calc.py:CacheMemory.expire
"""

import threading

import funcy

failures = []


@funcy.cache(timeout=0.002)
def square(number):
    return number * number


def work():
    for number in range(15000):
        try:
            square(number % 40)
        except IndexError as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 60000 calls failed")
