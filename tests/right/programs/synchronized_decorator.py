"""A decorator takes the object's lock around each method. Methods that must be one step are one method."""

import functools
import threading


def synchronized(method):
    @functools.wraps(method)
    def wrapper(self, *arguments):
        with self._lock:
            return method(self, *arguments)

    return wrapper


class Stack:
    def __init__(self, limit):
        self._lock = threading.RLock()
        self._items = []
        self._limit = limit
        self.refused = 0

    @synchronized
    def push(self, item):
        if len(self._items) >= self._limit:
            self.refused += 1
            return False
        self._items.append(item)
        return True

    @synchronized
    def pop(self):
        if not self._items:
            return None
        return self._items.pop()


stack = Stack(5)
pushed, popped = [], []


def work(number):
    for each in range(60):
        if stack.push((number, each)):
            pushed.append((number, each))
        if each % 2 and (item := stack.pop()) is not None:
            popped.append(item)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
while (item := stack.pop()) is not None:
    popped.append(item)
assert sorted(pushed) == sorted(popped) and len(pushed) + stack.refused == 240
