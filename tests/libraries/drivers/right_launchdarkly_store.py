"""Threads update and read flags in a store that has a lock for one writer or many readers.

requires: launchdarkly-server-sdk==9.20.0
include: ldclient.feature_store, ldclient.impl.rwlock
expect: nothing
"""

import threading

from ldclient.feature_store import InMemoryFeatureStore
from ldclient.versioned_data_kind import FEATURES

VERSIONS = 400
store = InMemoryFeatureStore()
store.init({FEATURES: {}})
backwards = []


def flag(version):
    return {"key": "beta", "version": version, "on": True, "variations": [], "salt": ""}


def write():
    for version in range(1, VERSIONS + 1):
        store.upsert(FEATURES, flag(version))


def read():
    last = 0
    for _ in range(VERSIONS):
        item = store.get(FEATURES, "beta")
        if item is not None:
            if item["version"] < last:
                backwards.append(last)
            last = item["version"]


threads = [threading.Thread(target=target) for target in (write, write, read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT version {store.get(FEATURES, 'beta')['version']} of {VERSIONS}, {len(backwards)} went backwards")
