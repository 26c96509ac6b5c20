"""Each account is locked by itself: two transfers in opposite directions wait for each other.

requires: wrapt==2.5.2
include: wrapt
expect: deadlock
at: wrapt/synchronization.py, wrapt_synchronized_deadlock.py
"""

import threading

import wrapt


class Account:
    def __init__(self):
        self.balance = 1000

    @wrapt.synchronized
    def deposit(self, amount):
        self.balance += amount

    @wrapt.synchronized
    def transfer(self, amount, to):
        self.balance -= amount
        to.deposit(amount)


one, other = Account(), Account()


def pay(source, to):
    for _ in range(800):
        source.transfer(1, to)


threads = [threading.Thread(target=pay, args=pair, daemon=True) for pair in ((one, other), (other, one))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(5)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still")
