"""Two threads add the first listener of an event: the node of one of them is not in the tree.

requires: pymitter==1.1.3
include: pymitter
expect: stale check, unguarded check
at: pymitter/__init__.py:Tree.add_listener, pymitter/__init__.py:BaseNode.add_node
"""

import threading

from pymitter import EventEmitter

emitter = EventEmitter()
ROUNDS = 800


def subscribe():
    for number in range(ROUNDS):
        emitter.on(f"room {number}.message", lambda: None)


threads = [threading.Thread(target=subscribe) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {emitter.num_listeners} of {4 * ROUNDS} listeners are there")
