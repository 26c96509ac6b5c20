"""A cache that is warmed up once, by whoever comes first. Nobody relies on that: what is not there is computed."""

import threading


class Squares:
    def __init__(self):
        self.warmed_up = False
        self.known = {}

    def of(self, number):
        if not self.warmed_up:
            self.warmed_up = True
            for each in range(40):
                self.known[each] = each * each
        found = self.known.get(number)
        return number * number if found is None else found


tables = [Squares() for _ in range(20)]
wrong = []
ready = threading.Barrier(4)


def work():
    for squares in tables:
        ready.wait()
        for number in range(60):
            if squares.of(number) != number * number:
                wrong.append(number)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong
