"""A bar is moved on by several threads: only the GIL keeps each step.

requires: tqdm==4.70.1
include: tqdm
expect: unguarded update:gil-only, lost update
at: tqdm/std.py:tqdm.update
"""

import io
import threading

from tqdm import tqdm

STEPS = 15_000
bar = tqdm(total=4 * STEPS, file=io.StringIO())


def work():
    for _ in range(STEPS):
        bar.update()


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
bar.close()
print(f"RESULT {bar.n} of {4 * STEPS} steps were counted")
