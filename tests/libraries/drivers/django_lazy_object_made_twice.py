"""A lazy object is made by each thread that uses it first.

requires: Django==6.1.3
include: django.utils.functional
expect: stale check, unguarded check
at: django/utils/functional.py
"""

import threading
import time

from django.utils.functional import SimpleLazyObject

made = []
ready = threading.Barrier(4)
ROUNDS = 150


class Client:
    def __init__(self):
        made.append(self)
        self.calls = []
        time.sleep(0.0005)  # it connects


clients = [SimpleLazyObject(Client) for _ in range(ROUNDS)]


def work(place):
    for client in clients:
        ready.wait()
        client.calls.append(place)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(4 - len(client.calls) for client in clients)
print(f"RESULT {len(made)} made for {ROUNDS} clients, {lost} calls are gone")
