# Finds: 0 lost updates of counter[0].
# It always prints 2.
#
# The counter belongs to one thread at a time: whoever takes it out of the queue has it until they put it back.

from queue import Queue
from threading import Thread
from time import sleep

owner = Queue()
owner.put([0])


def increment():
    counter = owner.get()
    count = counter[0]
    sleep(0)
    counter[0] = count + 1
    owner.put(counter)


threads = [Thread(target=increment) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counter = owner.get()
print(counter[0])
