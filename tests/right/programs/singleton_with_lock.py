"""A singleton's __new__ takes the class's lock for check and creation."""

import threading


class Settings:
    _instance = None
    _lock = threading.Lock()

    def __new__(cls):
        with cls._lock:
            if cls._instance is None:
                instance = super().__new__(cls)
                instance.values = {}
                cls._instance = instance
        return cls._instance


instances = []
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for each in range(30):
        settings = Settings()
        settings.values[number, each] = True
        instances.append(settings)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(set(map(id, instances))) == 1 and len(Settings().values) == 120
