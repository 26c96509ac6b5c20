"""Threads update the same object's parameters: it goes on to gather events, and nobody is told any more.

requires: param==2.4.2
include: param
expect: lost update, unguarded update
at: param/parameterized.py
"""

import threading

import param


class Settings(param.Parameterized):
    width = param.Integer(0)
    height = param.Integer(0)


UPDATES = 120
settings = Settings()
told = []
failures = []
settings.param.watch(lambda *events: told.append(len(events)), ["width", "height"])


def resize(place):
    for number in range(UPDATES):
        try:
            settings.param.update(width=number * 4 + place, height=number * 8 + place)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=resize, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
before = len(told)
settings.width = -1
print(
    f"RESULT told {before} times of {4 * UPDATES} updates; told of the last: {len(told) > before}; {len(failures)} fail"
)
