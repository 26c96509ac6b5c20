"""Sessions in a UserDict: who finds none goes on without one, and who ends one is ready for it to be gone."""

import threading
import time
from collections import UserDict


class Sessions(UserDict):
    pass


sessions = Sessions()
missed = []


def open_and_close(first):
    for number in range(first, first + 50):
        sessions[number % 5] = f"session {number}"
        time.sleep(0)
        try:
            del sessions[number % 5]
        except KeyError:
            continue


def look():
    for number in range(100):
        try:
            sessions[number % 5].upper()
        except KeyError:
            missed.append(number)
        time.sleep(0)


threads = [threading.Thread(target=open_and_close, args=(0,)), threading.Thread(target=open_and_close, args=(3,))]
threads.append(threading.Thread(target=look))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(missed) <= 100)
