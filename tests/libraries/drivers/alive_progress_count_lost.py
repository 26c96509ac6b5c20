"""Threads of a pool tell one bar that an item is done: the bar ends short of its total.

requires: alive-progress==3.3.0
include: alive_progress
expect: lost update, unguarded update
at: alive_progress/core/progress.py
"""

# The bar adds with +=, and calls int() between the read of the old count and the write of the new one; then it writes
# max(0, count) in the same way. A thread that counts meanwhile is not in the number that is written.

import io
import threading

from alive_progress import alive_bar

ITEMS = 40_000
start = threading.Barrier(4)

with alive_bar(4 * ITEMS, file=io.StringIO(), force_tty=False, enrich_print=False) as bar:

    def work():
        start.wait()
        for _ in range(ITEMS):
            bar()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = bar.current
print(f"RESULT the bar stands at {shown} of {4 * ITEMS}")
