# Finds: 2 - printed lost updates of counter[0].
#
# Two threads add one each. If both read before either writes, one of the increments disappears.

from threading import Thread
from time import sleep

counter = [0]


def increment():
    count = counter[0]
    sleep(0)  # any call will do: the other thread may run here
    counter[0] = count + 1


threads = [Thread(target=increment) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter[0])
