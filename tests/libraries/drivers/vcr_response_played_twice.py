"""Threads send the same request: some get the same recorded response, which is played once.

requires: vcrpy==9.4.2
include: vcr
expect: stale check, unguarded check
at: vcr/cassette.py:Cassette.play_response
"""

import threading

from vcr.cassette import Cassette
from vcr.request import Request

RESPONSES = 160


def poll():
    return Request("GET", "http://example.com/next", None, {})


cassette = Cassette("next.yaml")
for number in range(RESPONSES):
    cassette.append(poll(), {"status": {"code": 200}, "headers": {}, "body": {"string": b"%d" % number}})
bodies = []
failures = []


def work():
    for _ in range(RESPONSES // 4):
        try:
            bodies.append(cassette.play_response(poll())["body"]["string"])
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(bodies))} different responses of {len(bodies)}, {len(failures)} requests failed")
