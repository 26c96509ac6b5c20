"""A cached property whose value depends upon what never changes: who makes it again makes the same."""

import threading
from functools import cached_property


class Rectangle:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    @cached_property
    def area(self):
        return self.width * self.height

    @cached_property
    def name(self):
        return f"{self.width} x {self.height}"


rectangles = [Rectangle(n, n + 1) for n in range(40)]
sums = {}


def add_up(number):
    sums[number] = sum(each.area + len(each.name) for each in rectangles)


threads = [threading.Thread(target=add_up, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(set(sums.values())))
