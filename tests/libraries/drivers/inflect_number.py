"""Two callers set the number by themselves, and ask for plurals by it.

requires: inflect==7.6.0
include: inflect
expect: overwritten before read, unguarded own write, unrepeatable read
at: inflect/__init__.py
"""

import threading

import inflect

engine = inflect.engine()
barrier = threading.Barrier(4)
wrong, failures = [], []


def tell(number):
    barrier.wait()
    for _ in range(300):
        try:
            engine.num(number)
            if (engine.plural("cat") == "cat") != (number == 1):
                wrong.append(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=tell, args=(number,)) for number in range(1, 5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} wrong plurals, {len(failures)} failures of 1200")
