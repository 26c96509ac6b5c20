"""The second lock is only tried. Who does not get it gives the first one up, and tries again."""

import threading
import time

left, right = threading.Lock(), threading.Lock()
state = {"left": 0, "right": 0}


def move(first, second, source, target):
    while True:
        with first:
            if second.acquire(blocking=False):
                try:
                    state[source] -= 1
                    state[target] += 1
                    return
                finally:
                    second.release()
        time.sleep(0)


def forth():
    for _ in range(50):
        move(left, right, "left", "right")


def back():
    for _ in range(50):
        move(right, left, "right", "left")


threads = [threading.Thread(target=each) for each in (forth, back, forth, back)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert state == {"left": 0, "right": 0}
