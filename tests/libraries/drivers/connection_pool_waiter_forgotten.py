"""A pool throws a worn-out connection away without a word to who waits for a free place: that thread waits on.

requires: connection-pool==0.0.3
include: connection_pool
expect: deadlock, lost notification
at: connection_pool/__init__.py:ConnectionPool.item, connection_pool/__init__.py:ConnectionPool.release
"""

import threading
import time

from connection_pool import ConnectionPool


class Connection:
    def query(self, number):
        time.sleep(0.001)
        return number * 2


pool = ConnectionPool(create=Connection, max_size=2, max_usage=1)
answers = []


def work(place):
    for number in range(30):
        with pool.item() as connection:
            answers.append(connection.query(number))


threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(6)]
for thread in threads:
    thread.start()
end = time.monotonic() + 2
for thread in threads:
    thread.join(max(0, end - time.monotonic()))
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads wait for ever, {len(answers)} of 180 answers")
