"""Threads solve the same problem: each hides values of the domains that the others go through.

requires: python-constraint==1.4.0
include: constraint
expect: failed access, overwritten before read, lost update, unrepeatable read, unguarded own write
at: constraint/__init__.py:Domain.popState, constraint/__init__.py:Domain.pushState
"""

import threading
import time

from constraint import AllDifferentConstraint, Problem


def fits(a, b):
    time.sleep(0.0001)
    return a < b


problem = Problem()
problem.addVariables("abcd", range(4))
problem.addConstraint(AllDifferentConstraint())
problem.addConstraint(fits, ("a", "b"))
right = len(problem.getSolutions())
wrong = []
failures = []


def solve():
    for _ in range(5):
        try:
            found = problem.getSolutions()
            if len(found) != right:
                wrong.append(len(found))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=solve) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 15 answers are wrong, {len(failures)} failed, e.g. {failures[:1]!r:.90}")
