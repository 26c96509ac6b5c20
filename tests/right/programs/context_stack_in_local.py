"""Nested scopes are a stack in a subclass of threading.local, whose __init__ runs once in each thread."""

import threading


class Scopes(threading.local):
    def __init__(self):
        self.stack = ["root"]

    def push(self, name):
        self.stack.append(name)

    def pop(self):
        return self.stack.pop()

    @property
    def path(self):
        return "/".join(self.stack)


scopes = Scopes()
paths = []


class scope:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        scopes.push(self.name)
        return scopes.path

    def __exit__(self, *error):
        assert scopes.pop() == self.name


def work(number):
    for each in range(30):
        with scope(f"t{number}"), scope(str(each)) as path:
            paths.append(path == f"root/t{number}/{each}")
        assert scopes.path == "root"


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(paths) == 120 and all(paths)
