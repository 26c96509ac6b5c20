# Finds: 0 lost updates of counter[0].
# It always prints 2.
#
# Only one thread at a time is between the read and the write.

from threading import Lock, Thread
from time import sleep

counter = [0]
lock = Lock()


def increment():
    with lock:
        count = counter[0]
        sleep(0)
        counter[0] = count + 1


threads = [Thread(target=increment) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter[0])
