"""Threads use the lazy attributes of a package for the first time: they are loaded under a lock.

requires: apipkg==3.0.2
include: apipkg
expect: nothing
"""

import sys
import threading
import types

import apipkg

NAMES = ["dumps", "loads", "load", "dump", "JSONEncoder", "JSONDecoder", "JSONDecodeError"]
packages = []
for number in range(40):
    sys.modules[f"lazy{number}"] = types.ModuleType(f"lazy{number}")
    apipkg.initpkg(f"lazy{number}", {name: f"json:{name}" for name in NAMES})
    packages.append(sys.modules[f"lazy{number}"])
failures = []


def work():
    for package in packages:
        for name in NAMES:
            try:
                getattr(package, name)
            except Exception as error:
                failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {4 * len(packages) * len(NAMES)} attributes failed: {failures[:1]}")
