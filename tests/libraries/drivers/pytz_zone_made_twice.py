"""Threads ask for the same time zone first: each gets one of its own.

requires: pytz==2026.6
include: pytz
expect: stale check, unguarded check
at: pytz/__init__.py:timezone
"""

import threading

import pytz

names = pytz.common_timezones[:150]
got = [{} for _ in range(4)]
failures = []


def work(place):
    for name in names:
        try:
            got[place][name] = pytz.timezone(name)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len({id(zones.get(name)) for zones in got}) > 1 for name in names)
print(f"RESULT {twice} of {len(names)} time zones are there twice, {len(failures)} failed")
