"""A progress bar's count is read, added to and written back, which only the GIL keeps together.

requires: enlighten==1.14.1
include: enlighten
expect: lost update, unguarded update:gil-only
at: enlighten/_counter.py:Counter.update
"""

import io
import threading

import enlighten

counter = enlighten.get_manager(stream=io.StringIO(), enabled=False).counter(total=8000)


def work():
    for _ in range(2000):
        counter.update()


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {8000 - counter.count} updates lost")
