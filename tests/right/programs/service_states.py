"""A service goes from new to running to stopped, under a lock. Readers look at the state without it, as a hint."""

import threading


class Service:
    def __init__(self):
        self._lock = threading.Lock()
        self.state = "new"
        self.transitions = []

    def _go(self, before, after):
        with self._lock:
            if self.state != before:
                return False
            self.state = after
            self.transitions.append(after)
            return True

    def start(self):
        return self._go("new", "running")

    def stop(self):
        return self._go("running", "stopped")

    @property
    def is_running(self):
        return self.state == "running"


services = [Service() for _ in range(50)]
ready = threading.Barrier(3)
looks = []


def work():
    ready.wait()
    for service in services:
        service.start()
        service.stop()


def look():
    ready.wait()
    for service in services:
        looks.append(service.is_running)


threads = [threading.Thread(target=each) for each in (work, work, look)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(each.transitions == ["running", "stopped"] for each in services) and len(looks) == 50
