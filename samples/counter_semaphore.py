# Finds: 0 lost updates of counter[0].
# It always prints 2.
#
# A semaphore with one place is a lock.

from threading import Semaphore, Thread
from time import sleep

counter = [0]
places = Semaphore(1)


def increment():
    with places:
        count = counter[0]
        sleep(0)
        counter[0] = count + 1


threads = [Thread(target=increment) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter[0])
