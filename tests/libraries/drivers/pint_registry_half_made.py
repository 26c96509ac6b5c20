"""The registry that is made as it is first used: another thread uses it before it is.

requires: Pint==0.26.2
include: pint.registry
expect: failed access, stale check, intermediate read, unguarded check
at: pint/registry.py
"""

import threading

import pint

failures = []
ready = threading.Barrier(3)
units = pint.get_application_registry()


def work(place):
    ready.wait()
    for number in range(20):
        try:
            (number * units.metre / units.second).to("km/hour")
        except Exception as error:
            failures.append(repr(error))


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} conversions failed")
