"""A node is taken out of the ring while others look up which node a key is on: a look-up fails.

requires: uhashring==2.5
include: uhashring
expect: failed access, read skew, stale check, unguarded check, unguarded read, intermediate read, unrepeatable read
at: uhashring/ring.py, uhashring/ring_ketama.py, uhashring/ring_meta.py
"""

# A look-up finds its place in the sorted list of hashes, then takes the hash there, then the node of that hash, from
# attributes that add_node() and remove_node() replace one by one: the hash of one ring is looked up in another.

import threading

from uhashring import HashRing

ROUNDS = 120
ring = HashRing(nodes=["node0", "node1", "node2"])
failures = []
found = []
over = threading.Event()
start = threading.Barrier(3, timeout=20)


def look_up(place):
    start.wait()
    number = 0
    while not over.is_set() and number < 30000:
        number += 1
        try:
            found.append(ring.get_node(f"key{place}x{number}"))
        except (KeyError, IndexError) as error:
            failures.append(error)


def change():
    start.wait()
    for _ in range(ROUNDS):
        ring.remove_node("node2")
        ring.add_node("node2")
    over.set()


threads = [threading.Thread(target=look_up, args=(place,)) for place in range(2)] + [threading.Thread(target=change)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {len(found) + len(failures)} look-ups failed")
