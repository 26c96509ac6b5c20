"""A circuit breaker holds its lock during the call: two services that call each other stand still.

requires: pybreaker==1.4.1
include: pybreaker
expect: deadlock
at: pybreaker/__init__.py:CircuitBreaker.call
"""

import threading

from pybreaker import CircuitBreaker

orders, stock = CircuitBreaker(name="orders"), CircuitBreaker(name="stock")
done = [0, 0]


def count():
    return sum(range(300))


def place_order():
    for _ in range(400):
        orders.call(stock.call, count)
        done[0] += 1


def restock():
    for _ in range(400):
        stock.call(orders.call, count)
        done[1] += 1


threads = [threading.Thread(target=work, daemon=True) for work in (place_order, restock)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(5)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still, after {done} calls")
