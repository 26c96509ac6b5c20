"""Two events keep their lock as they call handlers whose results they keep: each fires the other.

requires: axel==0.0.7
include: axel
expect: deadlock
at: axel/axel.py:Event._memoize
"""

import threading
import time

from axel import Event

prices, stocks = Event(threads=0), Event(threads=0)
done = [0, 0]


def price_of(number, ask=True):
    if ask:
        stocks(number, False)
    time.sleep(0.001)
    return number % 50


def stock_of(number, ask=True):
    if ask:
        prices(number, False)
    time.sleep(0.001)
    return number % 70


prices.handle((price_of, True))
stocks.handle((stock_of, True))


def ask_prices():
    for number in range(150):
        prices(number)
        done[0] += 1


def ask_stocks():
    for number in range(150):
        stocks(number)
        done[1] += 1


threads = [threading.Thread(target=work, daemon=True) for work in (ask_prices, ask_stocks)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(5)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still, after {done} calls")
