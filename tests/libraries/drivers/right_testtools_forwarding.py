"""Threads report tests to one result, each by a forwarding result under the same semaphore.

requires: testtools==2.9.1
include: testtools
expect: nothing
"""

import threading
import unittest

import testtools
from testtools.testresult.doubles import ExtendedTestResult

log = ExtendedTestResult()
semaphore = threading.Semaphore(1)


def run(place):
    result = testtools.ThreadsafeForwardingResult(log, semaphore)
    result.startTestRun()
    for number in range(50):
        test = unittest.FunctionTestCase(lambda: None, description=f"test {place} {number}")
        result.startTest(test)
        result.tags({f"place {place}"}, set())
        if number % 10:
            result.addSuccess(test)
        else:
            result.addSkip(test, "not today")
        result.stopTest(test)
    result.stopTestRun()


threads = [threading.Thread(target=run, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
open_test, mixed, done = None, 0, 0
for event in log._events:
    if event[0] == "startTest":
        mixed += open_test is not None
        open_test = event[1]
    elif event[0] in ("addSuccess", "addSkip"):
        mixed += open_test is not event[1]
        done += 1
    elif event[0] == "stopTest":
        mixed += open_test is not event[1]
        open_test = None
print(f"RESULT nothing went wrong: {done} tests were reported, {mixed} events are mixed up")
