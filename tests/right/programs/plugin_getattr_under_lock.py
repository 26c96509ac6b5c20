"""__getattr__ loads a plugin on its first use.

It takes a lock and looks into the instance's dict again before it loads.
"""

import threading


class Plugins:
    def __init__(self):
        self._lock = threading.Lock()
        self._loaded = []

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        with self._lock:
            if name in self.__dict__:
                return self.__dict__[name]
            plugin = self.__dict__[name] = {"name": name, "calls": []}
            self._loaded.append(name)
            return plugin


plugins = Plugins()
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for each in range(25):
        getattr(plugins, f"plugin{each}")["calls"].append(number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(plugins._loaded) == 25 == len(set(plugins._loaded))
assert all(len(vars(plugins)[name]["calls"]) == 4 for name in plugins._loaded)
