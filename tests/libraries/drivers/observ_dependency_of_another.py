"""Threads compute values at once: what one reads is noted as a dependency of the other's value.

requires: observ==1.0.1
include: observ
expect: overwritten before read, stale check, unguarded own write
at: observ/watcher.py:Watcher.get, observ/dep.py:Dep.depend
"""

import threading
import time

from observ import computed, reactive

state = reactive({f"price{number}": 1 for number in range(20)})


def value(number):
    @computed
    def price():
        time.sleep(0.0005)
        return state[f"price{number}"] * 100

    return price


prices = [value(number) for number in range(20)]
failures = []


def show(numbers):
    for number in numbers:
        try:
            prices[number]()
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=show, args=(range(place, 20, 2),)) for place in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
old = 0
for number in (4, 9, 14, 19):
    state[f"price{number}"] = 2
    old += prices[number]() != 200
print(f"RESULT {old} of 4 values are not computed again when what they depend on changes, {len(failures)} failed")
