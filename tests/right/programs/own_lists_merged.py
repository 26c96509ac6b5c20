"""Each thread appends to a list of its own. The lists are known to all from the start and merged after the join."""

import heapq
import threading


class Shard:
    def __init__(self):
        self.found = []
        self.seen = 0

    def search(self, numbers):
        for number in numbers:
            self.seen += 1
            if all(number % each for each in range(2, int(number**0.5) + 1)):
                self.found.append(number)


shards = [Shard() for _ in range(4)]
threads = [
    threading.Thread(target=shard.search, args=(range(2 + offset, 200, 4),)) for offset, shard in enumerate(shards)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
primes = list(heapq.merge(*(shard.found for shard in shards)))
assert primes[:6] == [2, 3, 5, 7, 11, 13] and len(primes) == 46
assert sum(shard.seen for shard in shards) == 198
