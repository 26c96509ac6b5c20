"""An actor's state is changed by its own thread alone; others send messages, and wait for answers on queues."""

import queue
import threading


class Inventory(threading.Thread):
    def __init__(self):
        super().__init__()
        self.mailbox = queue.SimpleQueue()
        self.stock = {}
        self.refused = 0

    def run(self):
        while True:
            kind, *arguments = self.mailbox.get()
            if kind == "stop":
                return
            getattr(self, "on_" + kind)(*arguments)

    def on_add(self, item, amount):
        self.stock[item] = self.stock.get(item, 0) + amount

    def on_take(self, item, amount, answer):
        if self.stock.get(item, 0) >= amount:
            self.stock[item] -= amount
            answer.put(True)
        else:
            self.refused += 1
            answer.put(False)


inventory = Inventory()
inventory.start()
taken = []


def customer(item):
    answer = queue.SimpleQueue()
    for amount in range(1, 25):
        inventory.mailbox.put(("add", item, 10))
        inventory.mailbox.put(("take", item, amount, answer))
        if answer.get():
            taken.append(amount)


threads = [threading.Thread(target=customer, args=(item,)) for item in ("nut", "bolt", "nut")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
inventory.mailbox.put(("stop",))
inventory.join()
assert sum(inventory.stock.values()) == 3 * 240 - sum(taken) and inventory.refused == 72 - len(taken)
