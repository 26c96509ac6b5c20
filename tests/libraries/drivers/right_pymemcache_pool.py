"""Objects are taken from a pool with a lock, and given back.

requires: pymemcache==4.0.0
include: pymemcache.pool
expect: nothing
"""

import threading

from pymemcache.pool import ObjectPool


class Connection:
    used = 0


pool = ObjectPool(Connection, max_size=4)


def work():
    for _ in range(300):
        with pool.get_and_release() as connection:
            connection.used += 1


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(connection.used for connection in pool.free)} uses of {len(pool.free)} connections")
