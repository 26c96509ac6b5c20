"""functools.lru_cache is safe by itself, and holds tuples. What is built from them is local to each call."""

import functools
import threading


@functools.lru_cache(maxsize=16)
def row(number):
    return tuple(number * each for each in range(1, 6))


class Sheet:
    def __init__(self):
        self.rows = []
        self.width = 0

    def add(self, number):
        self.rows.append(row(number))
        self.width = max(self.width, len(str(self.rows[-1][-1])))
        return self

    def text(self):
        return "\n".join(" ".join(str(cell).rjust(self.width) for cell in each) for each in self.rows)


texts = {}


def work(start):
    for turn in range(20):
        sheet = Sheet()
        for number in range(start, start + 4):
            sheet.add(number)
        texts[start, turn] = sheet.text()


threads = [threading.Thread(target=work, args=(start,)) for start in (1, 5, 9, 13)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(set(texts.values())) == 4 and texts[1, 0].startswith(" 1  2  3  4  5\n")
