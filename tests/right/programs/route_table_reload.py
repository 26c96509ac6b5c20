"""A router's list of routes is replaced on reload.

Requests that hold the old list go on with it, which is meant.
"""

import threading


class Router:
    def __init__(self):
        self.generation = 0
        self.routes = self.build(0)

    @staticmethod
    def build(generation):
        return [(f"/{name}", (name, generation)) for name in ("users", "items", "orders", "")]

    def reload(self):
        self.generation += 1
        self.routes = self.build(self.generation)

    def match(self, path):
        routes = self.routes
        for prefix, target in routes:
            if path.startswith(prefix):
                return target
        raise LookupError(path)


router = Router()
seen = []
ready = threading.Barrier(3)


def requests():
    ready.wait()
    for number in range(80):
        name, generation = router.match(("/users/1", "/items", "/orders/7", "/")[number % 4])
        seen.append((name, generation))


def operator():
    ready.wait()
    for _ in range(40):
        router.reload()


threads = [threading.Thread(target=requests), threading.Thread(target=requests), threading.Thread(target=operator)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert {name for name, _ in seen} == {"users", "items", "orders", ""}
assert all(0 <= generation <= 40 for _, generation in seen) and router.generation == 40
