"""A shared resource is counted under a lock: the first user opens it, and the last one closes it."""

import threading


class Shared:
    def __init__(self):
        self.lock = threading.Lock()
        self.users = 0
        self.handle = None
        self.opened = self.closed = 0

    def __enter__(self):
        with self.lock:
            if self.users == 0:
                self.opened += 1
                self.handle = []
            self.users += 1
            return self.handle

    def __exit__(self, *error):
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.closed += 1
                self.handle = None


shared = Shared()
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for each in range(50):
        with shared as handle:
            handle.append((number, each))
            if shared.handle is not handle:
                raise RuntimeError("closed while in use")


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert shared.handle is None and shared.users == 0 and shared.opened == shared.closed >= 1
