"""One thread moves money between the accounts of a bank: objects, attributes, methods and properties."""

import json
import sys
from time import monotonic, perf_counter


class Account:
    def __init__(self, balance):
        self.balance = balance
        self.transfers = 0

    @property
    def is_empty(self):
        return self.balance <= 0

    def give(self, other, amount):
        if self.is_empty:
            return False
        self.balance -= amount
        other.balance += amount
        self.transfers += 1
        return True


class Bank:
    def __init__(self, accounts):
        self.accounts = [Account(1000) for _ in range(accounts)]
        self.position = 0

    def next(self):
        self.position = (self.position * 5 + 3) % len(self.accounts)
        return self.accounts[self.position]


steps = int(sys.argv[1])
bank = Bank(64)
start = perf_counter()
for _ in range(steps):
    bank.next().give(bank.next(), 1)
seconds = perf_counter() - start
balance = sum(account.balance for account in bank.accounts)
print(json.dumps({"seconds": seconds, "steps": steps, "destroyed": 64_000 - balance, "end": monotonic()}))
