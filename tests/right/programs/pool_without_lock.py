"""A pool of renderers without a lock: list.pop and list.append hand an object over, to one thread at a time."""

import threading


class Renderer:
    made = []

    def __init__(self):
        self.parts = []
        self.depth = 0
        self.made.append(self)

    def render(self, words):
        self.parts = []
        self.depth = 0
        for word in words:
            self.part(word)
        return "".join(self.parts)

    def part(self, word):
        self.parts.append("<" * self.depth + word)
        self.depth += 1


free = []


def render(words):
    try:
        renderer = free.pop()
    except IndexError:
        renderer = Renderer()
    text = renderer.render(words)
    free.append(renderer)
    return text


wrong = []


def work(number):
    words = [f"a{number}", f"b{number}", "c"]
    for _ in range(50):
        if render(words) != f"a{number}<b{number}<<c":
            wrong.append(number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong and 1 <= len(free) == len(Renderer.made) <= 4
