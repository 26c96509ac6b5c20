"""A year counts as filled in before it is, and which year is filled in is kept in the object that threads share.

requires: holidays==0.109
include: holidays
expect: overwritten before read, stale check, intermediate read, read skew, unguarded own write, unguarded check
at: holidays/holiday_base.py
"""

import threading
from datetime import date

import holidays

wrong = []
YEARS = range(1990, 2030)
ready = threading.Barrier(4)
germany = holidays.country_holidays("DE")


def work(place):
    for number, year in enumerate(YEARS):
        ready.wait()
        try:
            if date(year - place // 2, 10, 3) not in germany:
                wrong.append(year)
        except Exception as error:
            wrong.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {4 * len(YEARS)} days are wrong")
