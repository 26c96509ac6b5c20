"""One engine, several callers: the number that a sentence is about is kept in an attribute.

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
    expected = engine.inflect(f"num({number}) plural('cat')")
    barrier.wait()
    for _ in range(150):
        try:
            if engine.inflect(f"num({number}) plural('cat')") != expected:
                wrong.append(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=tell, args=(number,)) for number in range(1, 5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} wrong sentences, {len(failures)} failures of 600")
