# Finds: 0 lost updates of counter[0].
# It always prints 2.
#
# The thread that holds an RLock may take it again: increment calls read, and both lock.

from threading import RLock, Thread
from time import sleep

counter = [0]
lock = RLock()


def read():
    with lock:
        return counter[0]


def increment():
    with lock:
        count = read()
        sleep(0)
        counter[0] = count + 1


threads = [Thread(target=increment) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter[0])
