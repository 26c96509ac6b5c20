"""Free buffers in a UserList, taken and given back under a lock."""

import threading
import time
from collections import UserList


class Pool(UserList):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()
        self.made = 0

    def take(self):
        with self.lock:
            if self:
                return self.pop()
            self.made += 1
            return bytearray(self.made)

    def give_back(self, buffer):
        with self.lock:
            if buffer not in self:
                self.append(buffer)


pool = Pool()


def work():
    for _ in range(60):
        buffer = pool.take()
        time.sleep(0)
        pool.give_back(buffer)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(pool.made == len(pool))
