"""A lazy value that others may drop at any time. The method works on a local variable, and the value is pure."""

import threading


class Totals:
    def __init__(self, numbers):
        self.numbers = tuple(numbers)
        self._summary = None

    def invalidate(self):
        self._summary = None

    def summary(self):
        summary = self._summary
        if summary is None:
            summary = (sum(self.numbers), max(self.numbers))
            self._summary = summary
        return summary


totals = Totals(range(30))
wrong = []
ready = threading.Barrier(4)


def work():
    ready.wait()
    for number in range(100):
        if totals.summary() != (435, 29):
            wrong.append(number)
        if number % 5 == 0:
            totals.invalidate()


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong
