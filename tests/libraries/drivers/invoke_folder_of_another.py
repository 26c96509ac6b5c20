"""Threads run commands in folders of their own through one context: a command runs in another's folder.

requires: invoke==3.0.3
include: invoke
expect: overwritten before read, unguarded own write, unguarded change, unguarded iteration, changed while iterated
at: invoke/context.py
"""

# cd() appends its folder to a list of the context, and takes the last one off at the end. run() puts all of the list
# in front of the command: of two blocks at a time each sees the other's folder, and takes off what is not its own.

import pathlib
import tempfile
import threading

from invoke import Context

ROUNDS = 12
root = pathlib.Path(tempfile.mkdtemp())
folders = [root / f"project{place}" for place in range(3)]
for folder in folders:
    folder.mkdir()
context = Context()
wrong = []
failures = []


def work(place):
    for _ in range(ROUNDS):
        try:
            with context.cd(str(folders[place])):
                where = context.run("pwd", hide=True, in_stream=False).stdout.strip()
            if where != str(folders[place]):
                wrong.append(where)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {3 * ROUNDS} commands ran in a wrong folder, {len(failures)} failed")
