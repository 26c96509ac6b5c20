"""Answers for one address are to come one after the other: two requests remove one more than they should.

requires: responses==0.26.3
include: responses
expect: stale check, unguarded check, unguarded iteration
at: responses/registries.py:FirstMatchRegistry.find
"""

import threading

import requests
import responses

failures = []
ROUNDS = 25


def get(number):
    for _ in range(4):
        try:
            requests.get(f"http://example.org/{number}", timeout=5)
        except requests.ConnectionError as error:
            failures.append(error)


with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
    for number in range(ROUNDS):
        for body in ("first", "second", "third"):
            mock.get(f"http://example.org/{number}", body=body)

    def client():
        for number in range(ROUNDS):
            get(number)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(f"RESULT {len(failures)} of {16 * ROUNDS} requests got no answer")
