"""A buffer is flushed by an atexit function, which runs after the threads have been joined."""

import atexit
import threading


class Audit:
    def __init__(self):
        self.lock = threading.Lock()
        self.entries = []
        self.stored = []
        atexit.register(self.close)

    def add(self, entry):
        with self.lock:
            self.entries.append(entry)
            if len(self.entries) >= 16:
                self.flush()

    def flush(self):
        self.stored.extend(self.entries)
        self.entries = []

    def close(self):
        self.flush()
        assert len(set(self.stored)) == 200


audit = Audit()


def work(number):
    for each in range(50):
        audit.add((number, each))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
