"""Frozen dataclasses are sent through queues; a reducer thread alone keeps the state that they change."""

import dataclasses
import queue
import threading


@dataclasses.dataclass(frozen=True)
class Order:
    item: str
    amount: int
    urgent: bool = False


@dataclasses.dataclass
class Book:
    open: dict = dataclasses.field(default_factory=dict)
    urgent: int = 0
    largest: Order | None = None

    def apply(self, order):
        self.open[order.item] = self.open.get(order.item, 0) + order.amount
        if order.urgent:
            self.urgent += 1
        if self.largest is None or order.amount > self.largest.amount:
            self.largest = order


orders = queue.Queue()
book = Book()


def reduce():
    while (order := orders.get()) is not None:
        book.apply(order)


def customer(item, step):
    order = Order(item, 1)
    for number in range(40):
        orders.put(dataclasses.replace(order, amount=number * step, urgent=number % 10 == 0))


reducer = threading.Thread(target=reduce)
reducer.start()
threads = [threading.Thread(target=customer, args=(item, step)) for item, step in (("nut", 1), ("bolt", 2), ("nut", 3))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
orders.put(None)
reducer.join()
assert book.open == {"nut": 3120, "bolt": 1560} and book.urgent == 12 and book.largest.amount == 117
