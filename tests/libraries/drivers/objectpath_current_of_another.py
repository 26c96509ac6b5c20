"""Threads filter the same tree by `@`: one's current element is another's.

requires: objectpath==0.6.1
include: objectpath
expect: overwritten before read
at: objectpath/core/interpreter.py
"""

import threading
import time

import objectpath


class Order:
    def __init__(self, number):
        self.number = number


def load(order, field):
    time.sleep(0.0003)
    return order.number


orders = [Order(number) for number in range(20)]
tree = objectpath.Tree({"orders": orders}, {"object_getter": load})
wrong = []


def check():
    for _ in range(4):
        if len(list(tree.execute("$.orders[@.ordered is @.delivered]"))) != len(orders):
            wrong.append(1)


threads = [threading.Thread(target=check) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 12 answers are wrong")
