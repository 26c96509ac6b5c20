"""Threads count in a cache on disk, whose database does each step whole.

requires: diskcache==5.6.3
include: diskcache
expect: nothing
"""

import tempfile
import threading

from diskcache import Cache

failures = []
with tempfile.TemporaryDirectory() as folder, Cache(folder) as cache:

    def work():
        for number in range(60):
            try:
                cache.incr("visits")
                cache.set(number, "seen")
                cache.get(number)
            except Exception as error:
                failures.append(error)
        cache.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"RESULT {cache.get('visits')} of 180 visits were counted, {len(failures)} failed")
