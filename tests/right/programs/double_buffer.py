"""Two buffers: one thread fills the back buffer and swaps; readers take whichever is the front one.

A buffer is never changed after it was swapped to the front: the writer makes a new back buffer each time.
"""

import threading


class Screen:
    def __init__(self, size):
        self.size = size
        self.front = (0,) * size
        self.back = [0] * size

    def draw(self, color):
        for place in range(self.size):
            self.back[place] = color
        self.front = tuple(self.back)

    def show(self):
        return self.front


screen = Screen(16)
torn = []
ready = threading.Barrier(4)


def painter():
    ready.wait()
    for color in range(1, 80):
        screen.draw(color)


def viewer():
    ready.wait()
    for _ in range(120):
        frame = screen.show()
        if len(set(frame)) != 1:
            torn.append(frame)


threads = [threading.Thread(target=painter)] + [threading.Thread(target=viewer) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not torn and screen.show() == (79,) * 16
