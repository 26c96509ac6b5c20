"""The reports that the gold files hold, by the name of the file."""

from __future__ import annotations

from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.run import Truncation
from opcodetrace.trace.story import RunReport, UnwovenFunction
from opcodetrace.trace.switch import Reason
from tests.report.threads_at_work import Recorded

COUNTER = """\
from threading import Thread
from time import sleep

counter = [0]

def increment():
    count = counter[0]
    sleep(0)
    counter[0] = count + 1
"""


def two_threads() -> RunReport:
    run = Recorded(COUNTER)
    one = run.read(1, 7, 0)
    run.yielded(1, 2, 8)
    other = run.read(2, 7, 0)
    run.yielded(2, 1, 8)
    lost = run.write(1, 9, 1)
    run.switch(1, 2, reason=Reason.ENDED)
    by = run.write(2, 9, 1)
    return run.report([run.story(run.lost(lost, one, by, other))], [run.watched(1)])


CASES = [two_threads]
