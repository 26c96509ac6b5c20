"""A sink takes the program's lock, whose holder logs: one waits for the lock of the sink, the other for the program's.

requires: loguru==0.7.3
include: loguru
expect: deadlock
at: loguru/_handler.py
"""

# A handler keeps its own lock while it calls the sink. A sink that shows messages in a table under the table's lock,
# and a thread that changes the table under this lock and logs it, take the two locks in opposite orders.

import atexit
import threading

from loguru import logger

ROUNDS = 20000
lock = threading.Lock()
table = {}
shown = []


def sink(message):
    with lock:
        shown.append((str(message), len(table)))


logger.remove()
atexit.unregister(logger.remove)  # it would wait for the lock of the sink, too
logger.add(sink, format="{message}")


def report():
    for number in range(ROUNDS):
        logger.info("measured {}", number)


def change():
    for number in range(ROUNDS):
        with lock:
            table[number % 100] = number
            logger.debug("row {} is new", number)


threads = [threading.Thread(target=work, daemon=True) for work in (report, change)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1)
standing = sum(thread.is_alive() for thread in threads)
print(f"RESULT {standing} threads stand still, {len(shown)} messages were shown")
