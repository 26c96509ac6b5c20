"""Writers copy the configuration under a lock, change the copy and put it in place.

Readers take no lock, and read once.
"""

import threading


class Settings:
    def __init__(self, **values):
        self._lock = threading.Lock()
        self._values = values

    def update(self, **changes):
        with self._lock:
            values = dict(self._values)
            values.update(changes)
            self._values = values

    def snapshot(self):
        return self._values

    def get(self, name, default=None):
        return self._values.get(name, default)


settings = Settings(host="localhost", low=0, high=0)
torn = []
ready = threading.Barrier(4)


def change(number):
    ready.wait()
    for each in range(50):
        settings.update(**{f"key{number}-{each}": each, "low": each, "high": each})


def read():
    ready.wait()
    for _ in range(100):
        values = settings.snapshot()
        if values["low"] != values["high"] or settings.get("host") != "localhost":
            torn.append(values)


threads = [threading.Thread(target=change, args=(number,)) for number in range(2)]
threads += [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not torn and len(settings.snapshot()) == 103
