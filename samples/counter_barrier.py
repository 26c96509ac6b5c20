# Finds: 0 lost updates of counter[0].
# It always prints 2.
#
# One thread adds before the barrier, the other after it: no thread passes until both have come.

from threading import Barrier, Thread
from time import sleep

counter = [0]
barrier = Barrier(2)


def increment():
    count = counter[0]
    sleep(0)
    counter[0] = count + 1


def first():
    increment()
    barrier.wait()


def second():
    barrier.wait()
    increment()


threads = [Thread(target=first), Thread(target=second)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter[0])
