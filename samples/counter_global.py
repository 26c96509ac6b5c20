# Finds: 2 - printed lost updates of global hits.
#
# The counter is a global variable, which all threads share.

from threading import Thread
from time import sleep

hits = 0


def increment():
    global hits
    count = hits
    sleep(0)
    hits = count + 1


threads = [Thread(target=increment) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(hits)
