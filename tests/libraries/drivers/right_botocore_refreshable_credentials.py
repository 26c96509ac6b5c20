"""Credentials that run out are asked for by several threads, one of which fetches new ones under the lock.

requires: botocore==1.44.8
include: botocore.credentials
expect: nothing
"""

import datetime
import threading

from botocore.credentials import RefreshableCredentials

ROUNDS = 60
fetched = []
start = threading.Barrier(3, timeout=20)


def metadata(number):
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1 if number < 0 else 60)
    return {
        "access_key": f"key{number}",
        "secret_key": f"secret{number}",
        "token": f"token{number}",
        "expiry_time": until.isoformat(),
    }


def fetch_of(number):
    def fetch():
        fetched.append(number)
        return metadata(number)

    return fetch


credentials = [
    RefreshableCredentials.create_from_metadata(metadata(-1), fetch_of(number), "a-vault") for number in range(ROUNDS)
]
mixed = []


def work():
    for number in range(ROUNDS):
        start.wait()
        frozen = credentials[number].get_frozen_credentials()
        if frozen.secret_key != f"secret{number}" or frozen.access_key != f"key{number}":
            mixed.append(frozen)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(fetched)} fetched for {ROUNDS} credentials, {len(mixed)} mixed")
