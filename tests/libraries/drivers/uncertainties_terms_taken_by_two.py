"""A value sums its terms up as its deviation is first asked for, and takes each from its list: two threads share them.

requires: uncertainties==3.2.3
include: uncertainties
expect: stale check, unguarded check, failed access
at: uncertainties/core.py
"""

import threading

from uncertainties import ufloat


def measured(number):
    total = ufloat(number, 0.1)
    for place in range(25):
        total += ufloat(place, 0.1) * 2
    return total


ROUNDS = 200
values = [measured(number) for number in range(ROUNDS)]
start = threading.Barrier(3)
wrong = []
failures = []


def work():
    for value in values:
        start.wait()
        try:
            if abs(value.std_dev - (25 * 0.04 + 0.01) ** 0.5) > 1e-9:
                wrong.append(value)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {3 * ROUNDS} deviations are wrong, {len(failures)} failed: {failures[:1]}")
