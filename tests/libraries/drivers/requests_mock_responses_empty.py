"""The last two answers are taken by threads that both saw two: then there is none for the next one.

requires: requests-mock==1.12.1, requests==2.34.2
include: requests_mock
expect: failed access, stale check, unguarded check
at: requests_mock/adapter.py:_Matcher.__call__
"""

import threading

import requests
import requests_mock

failures = []
ready = threading.Barrier(4)
ROUNDS = 50
session = requests.Session()
adapter = requests_mock.Adapter()
session.mount("mock://", adapter)
for number in range(ROUNDS):
    adapter.register_uri("GET", f"mock://shop/{number}", [{"text": str(page)} for page in range(4)])


def work(place):
    for number in range(ROUNDS):
        ready.wait()
        try:
            session.get(f"mock://shop/{number}")
            session.get(f"mock://shop/{number}")
        except IndexError as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} requests failed")
