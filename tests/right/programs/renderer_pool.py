"""Renderers keep their buffer and indent in attributes. A queue lends each to one thread at a time."""

import queue
import threading


class Renderer:
    def __init__(self):
        self.lines = []
        self.indent = 0

    def render(self, tree):
        self.lines = []
        self.indent = 0
        self.node(tree)
        return "\n".join(self.lines)

    def node(self, tree):
        name, children = tree
        self.lines.append("  " * self.indent + name)
        self.indent += 1
        for child in children:
            self.node(child)
        self.indent -= 1


pool = queue.LifoQueue()
for _ in range(2):
    pool.put(Renderer())
wrong = []


def render(tree):
    renderer = pool.get()
    try:
        return renderer.render(tree)
    finally:
        pool.put(renderer)


def work(number):
    name = f"n{number}"
    tree = (name, [(name + "a", [(name + "b", [])]), (name + "c", [])])
    for _ in range(40):
        if render(tree) != f"{name}\n  {name}a\n    {name}b\n  {name}c":
            wrong.append(name)


threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong and pool.qsize() == 2
