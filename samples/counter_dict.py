# Finds: 2 - printed lost updates of counter['hits'].
#
# The counter is an item of a dictionary. Each access is one instruction; the two together are not.

from threading import Thread
from time import sleep

counter = {"hits": 0}


def increment():
    count = counter["hits"]
    sleep(0)
    counter["hits"] = count + 1


threads = [Thread(target=increment) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counter["hits"])
