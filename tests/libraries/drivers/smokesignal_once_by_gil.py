"""A callback that is to be called five times in all: only the GIL keeps two threads from taking the last call both.

requires: smokesignal==0.7.0
include: smokesignal
expect: unguarded check:gil-only, unguarded update:gil-only
at: smokesignal.py:_call
"""

import threading

import smokesignal

called = []
ROUNDS = 400
start = threading.Barrier(4)


def emit():
    start.wait()
    for number in range(ROUNDS):
        for _ in range(4):
            smokesignal.emit(f"signal {number}")


for number in range(ROUNDS):

    def handle(number=number):
        called.append(number)

    smokesignal.on(f"signal {number}", handle, max_calls=5)

threads = [threading.Thread(target=emit) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(called)} calls, {5 * ROUNDS} were asked for")
