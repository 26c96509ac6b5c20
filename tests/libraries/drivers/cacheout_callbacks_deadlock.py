"""Two caches drop each other's entries by callbacks, which are called under each cache's lock.

requires: cacheout==0.17.0
include: cacheout
expect: deadlock
at: cacheout/cache.py
"""

import threading

from cacheout import Cache

users, sessions = Cache(maxsize=100), Cache(maxsize=100)
users.on_delete = lambda key, value, cause: sessions.delete(key)
sessions.on_delete = lambda key, value, cause: users.delete(key)


def work(cache):
    for number in range(10000):
        cache.set(number % 50, number)
        cache.delete(number % 50)


threads = [threading.Thread(target=work, args=(cache,), daemon=True) for cache in (users, sessions)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(5)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still")
