"""Threads of a pool move one progress bar on: steps are added twice, or not at all.

requires: click==8.5.1
include: click
expect: overwritten before read, unguarded own write, lost update, unguarded update, stale check, unguarded check
at: click/_termui_impl.py
"""

# An update adds its steps to those that are not shown yet, and shows that number; then it sets it to 0. Another one in
# between adds to the same number, so that both show the sum, and the 0 throws away what a third has added.

import io
import threading

import click

STEPS = 25_000
start = threading.Barrier(4)

with click.progressbar(length=4 * STEPS, file=io.StringIO()) as bar:

    def work():
        start.wait()
        for _ in range(STEPS):
            bar.update(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(f"RESULT the bar stands at {bar.pos} of {4 * STEPS}")
