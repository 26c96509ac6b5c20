"""Readers iterate over whatever list is there.

Writers put a changed copy in place, under a lock, and never change a list.
"""

import threading


class Plugins:
    def __init__(self):
        self.lock = threading.Lock()
        self.active = []

    def enable(self, name):
        with self.lock:
            if name not in self.active:
                self.active = [*self.active, name]

    def disable(self, name):
        with self.lock:
            self.active = [each for each in self.active if each != name]

    def run(self, text):
        for name in self.active:
            text = f"{name}({text})"
        return text


plugins = Plugins()
plugins.enable("base")
outputs = set()
ready = threading.Barrier(4)


def admin(name):
    ready.wait()
    for _ in range(50):
        plugins.enable(name)
        plugins.disable(name)


def user():
    ready.wait()
    for _ in range(80):
        outputs.add(plugins.run("x"))


threads = [threading.Thread(target=admin, args=(name,)) for name in ("a", "b")]
threads += [threading.Thread(target=user) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert plugins.active == ["base"] and all("base(x)" in each for each in outputs)
