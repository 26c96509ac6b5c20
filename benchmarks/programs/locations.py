"""Two threads, one after the other, that count in each of many items."""

import sys
from threading import Thread

items = [0] * int(sys.argv[1])


def work():
    for place in range(len(items)):
        items[place] += 1


for _ in range(2):
    thread = Thread(target=work)
    thread.start()
    thread.join()
