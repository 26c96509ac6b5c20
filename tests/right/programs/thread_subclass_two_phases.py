"""A thread object fills its attributes before it is started; the starter reads them again after join()."""

import threading


class Crunch(threading.Thread):
    def __init__(self, numbers):
        super().__init__()
        self.numbers = numbers
        self.total = 0
        self.error = None

    def run(self):
        try:
            for number in self.numbers:
                self.total += 60 // number
        except ZeroDivisionError as error:
            self.error = error


for _ in range(8):
    threads = [Crunch(range(start, 6)) for start in (0, 1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(threads[0].error, ZeroDivisionError)
    assert [thread.total for thread in threads[1:]] == [137, 77, 47]
    for thread in threads:
        thread.total = 0
        thread.error = None
