"""A thread clears the cache of templates while another one takes what it has just put there.

requires: bottle==0.13.4
include: bottle
expect: failed access, unguarded check:gil-only
at: bottle.py:template
"""

import threading

import bottle

failures = []
stop = threading.Event()


def render():
    while not stop.is_set():
        try:
            bottle.template("Hello {{name}}!", name="world")
        except KeyError as error:
            failures.append(error)


def reload():
    for _ in range(400):
        bottle.TEMPLATES.clear()
        try:
            bottle.template("Hello {{name}}!", name="world")
        except KeyError as error:
            failures.append(error)
    stop.set()


threads = [threading.Thread(target=work) for work in (render, render, reload)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} pages failed")
