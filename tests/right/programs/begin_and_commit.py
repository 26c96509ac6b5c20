"""begin() takes the lock, commit() and rollback() release it. Whatever is between is one transaction."""

import threading


class Ledger:
    def __init__(self):
        self._lock = threading.Lock()
        self.entries = []
        self.pending = None
        self.aborted = 0

    def begin(self):
        self._lock.acquire()
        self.pending = []

    def add(self, entry):
        self.pending.append(entry)

    def commit(self):
        self.entries.extend(self.pending)
        self.pending = None
        self._lock.release()

    def rollback(self):
        self.aborted += 1
        self.pending = None
        self._lock.release()


ledger = Ledger()


def work(number):
    for each in range(40):
        ledger.begin()
        try:
            ledger.add((number, each, "debit"))
            if each % 8 == 7:
                raise ValueError(each)
            ledger.add((number, each, "credit"))
        except ValueError:
            ledger.rollback()
        else:
            ledger.commit()


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(ledger.entries) == 4 * 35 * 2 and ledger.aborted == 20
assert all(a[:2] == b[:2] for a, b in zip(ledger.entries[::2], ledger.entries[1::2], strict=True))
