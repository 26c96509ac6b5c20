"""Each thread builds a linked list of its own, and links it to the others' under a lock once it is made."""

import threading


class Node:
    def __init__(self, value):
        self.value = value
        self.next = None


class Chain:
    def __init__(self):
        self.head = None

    def push(self, value):
        node = Node(value)
        node.next = self.head
        self.head = node


chains = []
lock = threading.Lock()


def work(number):
    chain = Chain()
    for count in range(40):
        chain.push((number, count))
    with lock:
        chains.append(chain)


threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
values = []
for chain in chains:
    node = chain.head
    while node is not None:
        values.append(node.value)
        node = node.next
assert len(values) == 3 * 40
