# Finds: 2 - printed lost updates of counter.hits.
#
# The counter is an attribute. Its first value lies in the class; the first write gives the instance one of its own.

from threading import Thread
from time import sleep


class Counter:
    hits = 0


counter = Counter()


def increment():
    hits = counter.hits
    sleep(0)
    counter.hits = hits + 1


threads = [Thread(target=increment) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter.hits)
