"""The current list is replaced without a lock, but every list is kept. An append to the old one is not lost.

The lists are merged after the writers have been joined.
"""

import threading


class Recorder:
    def __init__(self):
        self.current = []
        self.generations = [self.current]

    def write(self, item):
        self.current.append(item)

    def rotate(self):
        fresh = []
        self.generations.append(fresh)
        self.current = fresh

    def all(self):
        return [item for generation in self.generations for item in generation]


recorder = Recorder()
ready = threading.Barrier(4)


def writer(number):
    ready.wait()
    for each in range(100):
        recorder.write((number, each))


def rotator():
    ready.wait()
    for _ in range(30):
        recorder.rotate()


threads = [threading.Thread(target=writer, args=(number,)) for number in range(3)] + [threading.Thread(target=rotator)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(recorder.all()) == [(number, each) for number in range(3) for each in range(100)]
assert len(recorder.generations) == 31
