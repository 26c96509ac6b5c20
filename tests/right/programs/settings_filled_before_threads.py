"""Settings of a class of the program's own, filled before the threads start, and only read by them."""

import threading
from collections.abc import Mapping


class Settings(Mapping):
    def __init__(self, given):
        self._given = dict(given)

    def __getitem__(self, name):
        return self._given[name]

    def __iter__(self):
        return iter(self._given)

    def __len__(self):
        return len(self._given)


settings = Settings({"host": "localhost", "port": 80, "retries": 3})
seen = {}


def serve(name):
    for _ in range(40):
        texts = [f"{key}={value}" for key, value in settings.items()]
        seen[name] = (len(settings), settings.get("timeout", 5), "port" in settings, texts[0])


threads = [threading.Thread(target=serve, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(seen[0] == seen[2])
