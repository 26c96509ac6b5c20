"""Threads add words to the same count-min sketch: it counts fewer than there were, which it says it never does.

requires: pyprobables==0.7.0
include: probables
expect: lost update, unguarded update
at: probables/countminsketch/countminsketch.py
"""

# add() reads all bins of a word into a list and writes them back in a loop: what another thread added meanwhile
# is overwritten. A count-min sketch may count too much, but must not count too little.

import threading

from probables import CountMinSketch

WORDS = ("red", "green", "blue")
ROUNDS = 800
sketch = CountMinSketch(width=1000, depth=5)
start = threading.Barrier(4)


def work():
    start.wait()
    for _ in range(ROUNDS):
        for word in WORDS:
            sketch.add(word)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counts = ", ".join(f"{word} {sketch.check(word)}" for word in WORDS)
print(f"RESULT {counts}; each was added {4 * ROUNDS} times")
