"""Threads use the same credentials as they expire: each gets a new token.

requires: google-auth==2.63.0
include: google
expect: stale check, unguarded check
at: google/auth/credentials.py, google/oauth2/credentials.py
"""

import datetime
import threading
import time

from google.oauth2.credentials import Credentials

LEEWAY = datetime.timedelta(minutes=3, seconds=45)
tokens = []
failures = []


def new_token(request, scopes):
    time.sleep(0.001)
    tokens.append(f"token{len(tokens)}")
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    return tokens[-1], now + LEEWAY + datetime.timedelta(milliseconds=20)


credentials = Credentials(token=None, refresh_handler=new_token, scopes=["read"])
end = time.monotonic() + 0.5


def work():
    while time.monotonic() < end:
        headers = {}
        try:
            credentials.before_request(None, "GET", "https://example.com", headers)
        except Exception as error:
            failures.append(error)
        time.sleep(0.002)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(tokens)} tokens were got, at most 25 are needed; {len(failures)} requests failed")
