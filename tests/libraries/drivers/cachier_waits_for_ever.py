"""A thread waits for the value that another one computes; a third one refreshes it meanwhile, and it is never told.

requires: cachier==4.2.0
include: cachier
expect: lost notification, deadlock, overwritten before read
at: cachier/cores/memory.py
"""

import threading
import time

from cachier import cachier


@cachier(backend="memory")
def price(number):
    time.sleep(0.002)
    return number * 3


NUMBERS = 80
got = [0, 0, 0]
failures = []


def work(place, **options):
    for number in range(NUMBERS):
        try:
            price(number, **options)
        except Exception as error:
            failures.append(error)
        got[place] += 1


threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(2)]
threads.append(threading.Thread(target=work, args=(2,), kwargs={"cachier__overwrite_cache": True}, daemon=True))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads wait after {got} calls, {len(failures)} failed")
