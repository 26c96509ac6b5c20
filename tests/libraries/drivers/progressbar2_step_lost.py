"""Threads move the same progress bar on: a step that is made while another thread draws is lost.

requires: progressbar2==4.6.0
include: progressbar
expect: lost update, unguarded update
at: progressbar/bar.py
"""

import io
import threading

import progressbar

STEPS = 800
bar = progressbar.ProgressBar(max_value=4 * STEPS, fd=io.StringIO(), redirect_stdout=False)
bar.start()
failures = []


def work():
    for _ in range(STEPS):
        try:
            bar.increment()
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
value = bar.value
bar.finish(dirty=True)
print(f"RESULT {value} of {4 * STEPS} steps were made, {len(failures)} failed")
