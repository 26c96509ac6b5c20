"""The local time zone is looked up by each thread that is early, and remembered: the same object.

requires: tzlocal==5.4.5
include: tzlocal
expect: nothing
"""

import os
import threading

os.environ["TZ"] = "Europe/Vienna"
import tzlocal

zones = []


def work():
    for _ in range(200):
        zones.append(tzlocal.get_localzone())


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(map(id, zones)))} zone of {len(zones)}")
