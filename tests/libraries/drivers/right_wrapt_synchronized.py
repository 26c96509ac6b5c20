"""Methods that the library locks, object by object.

requires: wrapt==2.5.2
include: wrapt
expect: nothing
"""

import threading

import wrapt


class Account:
    def __init__(self):
        self.balance = 0
        self.history = []

    @wrapt.synchronized
    def deposit(self, amount):
        balance = self.balance
        self.history.append(amount)
        self.balance = balance + amount


account = Account()


def pay():
    for _ in range(1500):
        account.deposit(1)


threads = [threading.Thread(target=pay) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {account.balance} of 6000 were paid in")
