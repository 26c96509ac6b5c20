"""A linked list with head and tail: nodes are changed under the list's lock alone."""

import threading


class Node:
    __slots__ = ("next", "value")

    def __init__(self, value):
        self.value = value
        self.next = None


class Chain:
    def __init__(self):
        self.lock = threading.Lock()
        self.head = self.tail = None
        self.size = 0

    def append(self, value):
        node = Node(value)
        with self.lock:
            if self.tail is None:
                self.head = node
            else:
                self.tail.next = node
            self.tail = node
            self.size += 1

    def take(self):
        with self.lock:
            node = self.head
            if node is None:
                return None
            self.head = node.next
            if self.head is None:
                self.tail = None
            self.size -= 1
        return node.value


chain = Chain()
taken = []


def work(number):
    for each in range(60):
        chain.append((number, each))
        if each % 3:
            taken.append(chain.take())


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert chain.size == 80
while (value := chain.take()) is not None:
    taken.append(value)
assert len(set(taken)) == 240 and chain.tail is None
