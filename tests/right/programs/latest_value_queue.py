"""A queue with room for one: the latest value. Who puts one in throws the old one away, and is ready for none."""

import contextlib
import queue
import threading

latest = queue.Queue(1)
seen = []


def publish():
    for value in range(80):
        while True:
            if latest.full():
                with contextlib.suppress(queue.Empty):
                    latest.get_nowait()
            try:
                latest.put_nowait(value)
                break
            except queue.Full:
                continue
    latest.put(None)


def show():
    while (value := latest.get()) is not None:
        seen.append(value)


threads = [threading.Thread(target=each) for each in (publish, show)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert seen == sorted(seen)
