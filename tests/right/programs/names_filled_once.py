"""Names are loaded by whoever needs them first. The list is looked at without the lock, and again under it."""

import threading


class Names:
    def __init__(self):
        self.lock = threading.Lock()
        self.known = []

    def all(self):
        if not self.known:
            with self.lock:
                if not self.known:
                    self.known.extend(["a", "b", "c"])
        return list(self.known)


groups = [Names() for _ in range(40)]
barrier = threading.Barrier(3)


def work():
    barrier.wait()
    for each in groups:
        assert each.all() == ["a", "b", "c"]


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(each.known == ["a", "b", "c"] for each in groups)
