"""A look at the balance without the lock refuses at once what cannot be; with the lock it is compared again."""

import threading


class Wallet:
    def __init__(self, balance):
        self.lock = threading.Lock()
        self.balance = balance
        self.spent = []

    def spend(self, amount):
        if self.balance < amount:
            return False
        with self.lock:
            if self.balance < amount:
                return False
            self.balance -= amount
            self.spent.append(amount)
        return True


wallet = Wallet(500)
accepted = []


def work(step):
    for turn in range(80):
        amount = turn * step % 9 + 1
        if wallet.spend(amount):
            accepted.append(amount)


threads = [threading.Thread(target=work, args=(step,)) for step in (1, 2, 4, 5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sum(accepted) + wallet.balance == 500 and wallet.balance >= 0 and len(wallet.spent) == len(accepted)
