"""A free list keeps about eight buffers. The check of its length is a hint: a few more or fewer kept do no harm."""

import threading


class Buffers:
    def __init__(self, about):
        self.about = about
        self.free = []

    def get(self):
        try:
            return self.free.pop()
        except IndexError:
            return bytearray(16)

    def put(self, buffer):
        buffer[:] = bytes(16)
        if len(self.free) < self.about:
            self.free.append(buffer)


buffers = Buffers(8)
dirty = []


def work(number):
    for _ in range(60):
        mine = [buffers.get() for _ in range(4)]
        for buffer in mine:
            if any(buffer):
                dirty.append(number)
            buffer[number] = 1
        for buffer in mine:
            buffers.put(buffer)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not dirty and 4 <= len(buffers.free) <= 8 + 4
