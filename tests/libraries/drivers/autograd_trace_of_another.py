"""Derivatives of derivatives share one count of traces: the inner one takes the outer one's for its own.

requires: autograd==1.9.1, numpy==2.5.5
include: autograd
expect: lost update, overwritten before read, stale check
at: autograd/tracer.py:TraceStack.new_trace
"""

import threading
import time

from autograd import grad

ready = threading.Barrier(4)
wrong, failed = [], []


def cost(x, y):
    time.sleep(0.001)  # a table is read
    return x**2 * y**2


# the cost and its slope by y are x**2 (y**2 + 2 y), and change with x by 2 x (y**2 + 2 y)
mixed = grad(lambda x, y: cost(x, y) + grad(cost, 1)(x, y))


def fit(place):
    ready.wait()
    for number in range(30):
        x = 1.0 + place + number / 10
        try:
            value = mixed(x, 3.0)
        except Exception as error:
            failed.append(error)
        else:
            if abs(value - 30 * x) > 1e-6:
                wrong.append(value)


threads = [threading.Thread(target=fit, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} derivatives of 120 are wrong, {len(failed)} failed")
