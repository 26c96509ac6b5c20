"""There is to be one object for a speaker's address: two threads that ask at a time get one each.

requires: soco==0.32.4
include: soco
expect: stale check, unguarded check, overwritten before read, unguarded own write
at: soco/core.py:_ArgsSingleton.__call__
"""

# The metaclass looks whether there is an instance for the address, makes one, puts it in, and reads it again.
# Both threads may find none. The first of the two objects is forgotten, with the caches and locks that it holds.

import threading

from soco import SoCo

SPEAKERS = 150
start = threading.Barrier(3)
made = [set() for _ in range(SPEAKERS)]


def work():
    for number in range(SPEAKERS):
        start.wait()
        made[number].add(SoCo(f"127.0.0.{number + 1}"))


init = SoCo.__init__
count = []


def counted(self, *args, **kwargs):
    count.append(self)
    init(self, *args, **kwargs)


SoCo.__init__ = counted
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(count)} objects were made for {SPEAKERS} speakers")
