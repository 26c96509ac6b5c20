# Finds: 0 lost updates of counter[0].
# Finds: 0 lost updates of turn[0].
# It always prints 2.
#
# Each thread waits for its turn and then passes it on. The condition is released while a thread waits, never between
# its read and its write.

from threading import Condition, Thread
from time import sleep

counter = [0]
turn = [0]
turn_changed = Condition()


def increment(number):
    with turn_changed:
        while turn[0] != number:
            turn_changed.wait()
        count = counter[0]
        sleep(0)
        counter[0] = count + 1
        turn[0] += 1
        turn_changed.notify_all()


threads = [Thread(target=increment, args=(number,)) for number in range(2)]
for thread in reversed(threads):
    thread.start()
for thread in threads:
    thread.join()
print(counter[0])
