"""The number of decimal places is kept in the language's one converter, and read after another thread's call.

requires: num2words==0.5.14
include: num2words
expect: overwritten before read, unguarded own write
at: num2words/base.py
"""

import threading

from num2words import num2words

wrong = []
EXPECTED = {number: num2words(number) for number in (1.5, 2.375, 3.25, 4.0625)}


def work(place):
    for _ in range(250):
        for number, words in EXPECTED.items():
            try:
                if num2words(number) != words:
                    wrong.append(number)
            except Exception as error:
                wrong.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 4000 are wrong")
