"""Functions raise the precision, which all threads share, and set it back: one sets back that of another.

requires: mpmath==1.4.1
include: mpmath
expect: overwritten before read, unguarded own write, lost update, unguarded update
at: mpmath/ctx_mp.py, mpmath/ctx_mp_python.py, mpmath/functions/functions.py, mpmath/functions/zeta.py
"""

import threading

import mpmath

mpmath.mp.dps = 15
POINTS = [mpmath.mpf(number) / 7 for number in range(1, 13)]
right = [mpmath.polylog(2, point / 2) for point in POINTS]
start = threading.Barrier(3)
wrong = []
failures = []


def work():
    start.wait()
    for _ in range(4):
        for point, value in zip(POINTS, right, strict=True):
            try:
                if mpmath.polylog(2, point / 2) != value:
                    wrong.append(point)
            except Exception as error:
                failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 144 values are wrong, {len(failures)} failed, the precision is {mpmath.mp.dps}, was 15")
