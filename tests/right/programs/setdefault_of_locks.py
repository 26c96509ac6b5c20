"""A lock for each key, made by setdefault: a lock that came second is dropped, and the first is used by all."""

import threading

locks = {}
balances = dict.fromkeys(("ann", "bob", "cat"), 0)


def lock_of(key):
    lock = locks.get(key)
    if lock is None:
        lock = locks.setdefault(key, threading.Lock())
    return lock


def work():
    for number in range(90):
        key = ("ann", "bob", "cat")[number % 3]
        with lock_of(key):
            balance = balances[key]
            balances[key] = balance + number


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sum(balances.values()) == 4 * sum(range(90))
