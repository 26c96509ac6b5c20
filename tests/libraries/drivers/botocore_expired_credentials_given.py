"""Credentials that have run out are fetched anew by one thread, and another is still given the old ones.

requires: botocore==1.40.0
include: botocore.credentials
expect: stale check, unguarded check, read skew, intermediate read, unguarded read, inconsistent locking
at: botocore/credentials.py
"""

# Refreshing sets the new time of expiry first, and the frozen credentials some calls later. Who asks in between without
# the lock sees that nothing has run out, and gets the frozen ones of before (a later version sets the time last).

import datetime
import random
import threading
import time

from botocore.credentials import RefreshableCredentials

ROUNDS = 300


def metadata(key, minutes):
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    return {"access_key": key, "secret_key": "a secret", "token": "a token", "expiry_time": until.isoformat()}


def fetch():
    time.sleep(0.001)
    return metadata("new", 60)


credentials = [
    RefreshableCredentials.create_from_metadata(metadata("old", -1), fetch, "a-vault") for _ in range(ROUNDS)
]
start = threading.Barrier(4, timeout=20)
old = []


def work(place):
    pause = random.Random(place)
    for number in range(ROUNDS):
        start.wait()
        time.sleep(pause.random() * 0.002)
        if credentials[number].get_frozen_credentials().access_key == "old":
            old.append((number, place))


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(old)} of {4 * ROUNDS} credentials had run out")
