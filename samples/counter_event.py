# Finds: 0 lost updates of counter[0].
# It always prints 2.
#
# The second thread does not touch the counter until the first one says that it is done with it.

from threading import Event, Thread
from time import sleep

counter = [0]
done = Event()


def increment():
    count = counter[0]
    sleep(0)
    counter[0] = count + 1


def first():
    increment()
    done.set()


def second():
    done.wait()
    increment()


threads = [Thread(target=second), Thread(target=first)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter[0])
