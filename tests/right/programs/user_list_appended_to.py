"""Threads append to a UserList; it is read when they have ended."""

import threading
import time
from collections import UserList


class Log(UserList):
    def add(self, line):
        self.append(line)


log = Log()


def work(name):
    for number in range(60):
        log.add((name, number))
        time.sleep(0)


threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(log), len(set(log)))
