"""A database that is read under a lock by whoever asks first.

requires: pycountry==26.2.16
include: pycountry
expect: nothing
"""

import threading

import pycountry

ready = threading.Barrier(4)
found = []


def work(place):
    ready.wait()
    for code in ("DE", "FR", "IT", "ES", "PL"):
        found.append(pycountry.countries.get(alpha_2=code).name)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(found)} found")
