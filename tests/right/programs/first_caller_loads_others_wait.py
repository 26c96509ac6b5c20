"""The first caller says that it loads, before it does. All others see that, and wait for an event until it is done."""

import threading


class Table:
    def __init__(self):
        self.lock = threading.Lock()
        self.is_loading = False
        self.loaded = threading.Event()
        self.rows = {}

    def get(self, key):
        with self.lock:
            is_first = not self.is_loading
            self.is_loading = True
        if is_first:
            for number in range(50):
                self.rows[number] = number * number
            self.loaded.set()
        self.loaded.wait()
        return self.rows[key]


tables = [Table() for _ in range(20)]
wrong = []
ready = threading.Barrier(4)


def work():
    for table in tables:
        ready.wait()
        for key in range(50):
            if table.get(key) != key * key:
                wrong.append(key)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong
