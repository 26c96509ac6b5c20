"""A set of known-good files saves work. To check a file twice does no harm, for the check has no effect."""

import threading

verified = set()
checks = []


def verify(name):
    checks.append(name)
    return sum(map(ord, name)) >= 0


def ensure(name):
    if name in verified:
        return
    if not verify(name):
        raise ValueError(name)
    verified.add(name)


def work():
    for number in range(80):
        ensure(f"file{number % 16}")


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(verified) == 16 == len(set(checks))
