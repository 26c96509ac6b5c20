"""Four threads count words, each in a dict of its own, and add them up under a lock."""

import json
import sys
from threading import Lock, Thread
from time import monotonic, perf_counter

rounds = int(sys.argv[1])
text = """it was the best of times it was the worst of times it was the age of wisdom it was the age of foolishness
it was the epoch of belief it was the epoch of incredulity it was the season of light it was the season of darkness"""
total = {}
lock = Lock()


def count():
    counts = {}
    for _ in range(rounds):
        for line in text.splitlines():
            for word in line.split():
                counts[word] = counts.get(word, 0) + 1
    with lock:
        for word, number in counts.items():
            total[word] = total.get(word, 0) + number


threads = [Thread(target=count) for _ in range(4)]
start = perf_counter()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
seconds = perf_counter() - start
steps = 4 * rounds * len(text.split())
print(json.dumps({"seconds": seconds, "steps": steps, "destroyed": steps - sum(total.values()), "end": monotonic()}))
