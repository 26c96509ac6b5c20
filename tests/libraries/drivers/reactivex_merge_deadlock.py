"""Two merged streams feed each other: each keeps its lock as it tells the other one.

requires: reactivex==6.1.0
include: reactivex
expect: deadlock
at: reactivex/internal/concurrency.py
"""

import threading
import time

import reactivex
from reactivex.subject import Subject

celsius_set, celsius_told = Subject(), Subject()
fahrenheit_set, fahrenheit_told = Subject(), Subject()
celsius = reactivex.merge(celsius_set, celsius_told)
fahrenheit = reactivex.merge(fahrenheit_set, fahrenheit_told)
shown = [0, 0]
done = [0, 0]


def show_celsius(change):
    origin, value = change
    shown[0] = value
    if origin == "celsius":
        time.sleep(0.0005)
        fahrenheit_told.on_next(("told", value * 9 / 5 + 32))


def show_fahrenheit(change):
    origin, value = change
    shown[1] = value
    if origin == "fahrenheit":
        time.sleep(0.0005)
        celsius_told.on_next(("told", (value - 32) * 5 / 9))


celsius.subscribe(show_celsius)
fahrenheit.subscribe(show_fahrenheit)


def set_celsius():
    for value in range(200):
        celsius_set.on_next(("celsius", value))
        done[0] += 1


def set_fahrenheit():
    for value in range(200):
        fahrenheit_set.on_next(("fahrenheit", value))
        done[1] += 1


threads = [threading.Thread(target=work, daemon=True) for work in (set_celsius, set_fahrenheit)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still, after {done} changes")
