"""A table is filled by whoever finds it empty, in one step: nobody finds it half filled, and twice makes the same."""

import threading

NAMES = {name: number for number, name in enumerate("abcdef")}


class Table:
    def __init__(self):
        self.numbers = {}

    def number(self, name):
        if not self.numbers:
            self.numbers.update(NAMES)
        return self.numbers[name]


tables = [Table() for _ in range(200)]
start = threading.Barrier(3)


def work():
    start.wait()
    for table in tables:
        assert [table.number(name) for name in "fca"] == [5, 2, 0]


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
