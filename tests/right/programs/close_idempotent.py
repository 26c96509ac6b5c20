"""close() may be called by several threads. It sets a flag that goes one way; to do the rest twice does no harm."""

import threading


class Channel:
    def __init__(self):
        self.closed = False
        self.done = threading.Event()
        self.waiting = []

    def close(self):
        if self.closed:
            return
        self.closed = True
        self.done.set()
        self.waiting.clear()

    def send(self, item):
        if self.closed:
            return False
        self.waiting.append(item)
        return True


channels = [Channel() for _ in range(40)]
ready = threading.Barrier(4)


def work():
    ready.wait()
    for channel in channels:
        channel.send(1)
        channel.close()
        assert channel.done.is_set() or channel.closed


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(channel.closed and not channel.send(2) for channel in channels)
