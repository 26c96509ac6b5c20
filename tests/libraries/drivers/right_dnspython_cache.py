"""A cache of answers with a lock.

requires: dnspython==2.9.2
include: dns.resolver
expect: nothing
"""

import threading
import time

import dns.name
import dns.resolver

cache = dns.resolver.LRUCache(20)


class Answer:
    def __init__(self):
        self.expiration = time.time() + 60


def work(place):
    for number in range(300):
        key = (dns.name.from_text(f"host{number % 15}."), 1, 1)
        if cache.get(key) is None:
            cache.put(key, Answer())


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {cache.hits()} hits, {cache.misses()} misses")
