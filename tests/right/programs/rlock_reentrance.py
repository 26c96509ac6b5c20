"""Methods of an account call each other, each with the RLock. A transfer takes both in a fixed order."""

import threading


class Account:
    def __init__(self, number, balance):
        self.number = number
        self.balance = balance
        self.history = []
        self.lock = threading.RLock()

    def deposit(self, amount):
        with self.lock:
            self.balance += amount
            self.note(amount)

    def withdraw(self, amount):
        with self.lock:
            if self.balance < amount:
                return False
            self.deposit(-amount)
            return True

    def note(self, amount):
        with self.lock:
            self.history.append(amount)


def transfer(source, target, amount):
    first, second = sorted((source, target), key=lambda account: account.number)
    with first.lock, second.lock:
        if source.withdraw(amount):
            target.deposit(amount)


accounts = [Account(number, 100) for number in range(3)]


def work(step):
    for number in range(60):
        transfer(accounts[number % 3], accounts[(number + step) % 3], number % 17)


threads = [threading.Thread(target=work, args=(step,)) for step in (1, 2, 1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sum(account.balance for account in accounts) == 300
assert all(account.balance == 100 + sum(account.history) for account in accounts)
