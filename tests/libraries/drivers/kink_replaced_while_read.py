"""A thread replaces a service while another one takes the made one; the GIL alone prevents a KeyError.

requires: kink==0.9.0
include: kink
expect: failed access, unguarded check:gil-only
at: kink/container.py
"""

import threading

from kink import Container

container = Container()
container["config"] = lambda di: {"level": 1}
failures = []
stop = threading.Event()


def read():
    while not stop.is_set():
        try:
            container["config"]
        except KeyError as error:
            failures.append(error)


def replace():
    for _ in range(6000):
        try:
            container["config"] = lambda di: {"level": 2}
        except KeyError as error:
            failures.append(error)
    stop.set()


threads = [threading.Thread(target=work) for work in (read, read, replace)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} lookups failed")
