"""One node for each name, kept weakly; made and looked for under a lock."""

import threading
import weakref


class Node:
    def __init__(self, name):
        self.name = name


class Nodes:
    def __init__(self):
        self._nodes = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def get(self, name):
        with self._lock:
            node = self._nodes.get(name)
            if node is None:
                node = self._nodes[name] = Node(name)
            return node

    def names(self):
        with self._lock:
            return sorted(self._nodes.keys())


nodes = Nodes()
kept = []


def work(first):
    for number in range(first, first + 60):
        node = nodes.get(number % 10)
        if number % 4 == 0:
            kept.append(node)
        nodes.names()


threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len({id(node) for node in kept}) >= len({node.name for node in kept}))
