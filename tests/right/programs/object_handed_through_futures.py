"""An object with state goes through steps in an executor.

The next step is submitted once the last one's result is there.
"""

from concurrent.futures import ThreadPoolExecutor


class Order:
    def __init__(self, number):
        self.number = number
        self.state = "new"
        self.history = []

    def to(self, state):
        self.history.append(self.state)
        self.state = state
        return self


def check(order):
    return order.to("checked")


def pack(order):
    return order.to("packed")


def ship(order):
    return order.to("shipped")


orders = [Order(number) for number in range(25)]
with ThreadPoolExecutor(4) as pool:
    for step in (check, pack, ship):
        orders = list(pool.map(step, orders))
assert all(order.state == "shipped" for order in orders)
assert all(order.history == ["new", "checked", "packed"] for order in orders)
