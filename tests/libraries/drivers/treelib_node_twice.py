"""Threads create the same node, which only one may: several do.

requires: treelib==1.8.0
include: treelib
expect: stale check, unguarded check
at: treelib/tree.py:Tree.add_node
"""

import threading

from treelib import Tree
from treelib.exceptions import DuplicatedNodeIdError

FOLDERS = 800
tree = Tree()
tree.create_node("root", "root")
created = []
failures = []
ready = threading.Barrier(4)


def work():
    for number in range(FOLDERS):
        if number % 50 == 0:
            ready.wait()
        try:
            tree.create_node(f"folder {number}", f"folder{number}", parent="root")
            created.append(number)
        except DuplicatedNodeIdError:
            pass
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {len(created)} nodes of {FOLDERS} created, {len(tree.children('root'))} are there, {len(failures)} failed"
)
