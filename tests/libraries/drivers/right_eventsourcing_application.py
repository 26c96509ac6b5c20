"""An application that keeps its events in memory under a lock, with numbers and versions; threads save and read.

requires: eventsourcing==9.5.6
include: eventsourcing
expect: nothing
"""

import threading

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError


class Account(Aggregate):
    @event("Opened")
    def __init__(self):
        self.balance = 0

    @event("Paid")
    def pay(self, amount):
        self.balance += amount


bank = Application()
shared = Account()
bank.save(shared)
ROUNDS = 40
conflicts, failed = [], []
ready = threading.Barrier(4)


def use(place):
    ready.wait()
    for number in range(ROUNDS):
        own = Account()
        own.pay(number)
        bank.save(own)
        while True:
            try:
                account = bank.repository.get(shared.id)
                account.pay(1)
                bank.save(account)
                break
            except IntegrityError as error:
                conflicts.append(error)
            except AggregateNotFoundError as error:
                failed.append(error)
                break


threads = [threading.Thread(target=use, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
numbers = [item.id for item in bank.recorder.select_notifications(start=1, limit=10_000)]
balance = bank.repository.get(shared.id).balance
print(
    f"RESULT nothing wrong: {balance} payments of {4 * ROUNDS} in the shared account, "
    f"{len(set(numbers))} numbers for {len(numbers)} events, {len(failed)} failed"
)
