"""A shared formatter is reset, fed and read by three methods. The caller holds its lock over all three."""

import threading


class TableFormatter:
    def __init__(self):
        self.lock = threading.RLock()
        self.reset()

    def reset(self):
        self.rows = []
        self.width = 0

    def row(self, *cells):
        cells = [str(cell) for cell in cells]
        self.width = max([self.width, *map(len, cells)])
        self.rows.append(cells)

    def text(self):
        return "\n".join(" ".join(cell.rjust(self.width) for cell in row) for row in self.rows)


formatter = TableFormatter()


def table(numbers):
    with formatter.lock:
        formatter.reset()
        for number in numbers:
            formatter.row(number, number * number)
        return formatter.text()


texts = {}


def work(power):
    numbers = [power**each for each in range(4)]
    texts[power] = {table(numbers) for _ in range(40)}


threads = [threading.Thread(target=work, args=(power,)) for power in (1, 2, 3, 10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(len(each) == 1 for each in texts.values())
assert texts[2] == {" 1  1\n 2  4\n 4 16\n 8 64"}
