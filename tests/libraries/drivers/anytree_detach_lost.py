"""Threads move their own nodes from one parent to another: the old parent keeps some that have gone.

requires: anytree==2.13.0
include: anytree
expect: lost update, unguarded update
at: anytree/node/nodemixin.py
"""

import threading

from anytree import Node

NODES = 200
todo, done = Node("todo"), Node("done")
nodes = [[Node(f"{place}-{number}", parent=todo) for number in range(NODES)] for place in range(4)]
failures = []


def work(place):
    for node in nodes[place]:
        try:
            node.parent = done
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {len(todo.children)} are left, {len(done.children)} of {4 * NODES} are done, {len(failures)} moves failed"
)
