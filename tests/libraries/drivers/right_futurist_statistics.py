"""Threads submit work to the same executor, whose statistics are gathered under a lock.

requires: futurist==3.5.0
include: futurist
expect: nothing
"""

import threading

import futurist

executor = futurist.ThreadPoolExecutor(max_workers=3)
results = []
failures = []


def work():
    for number in range(60):
        try:
            results.append(executor.submit(pow, number, 2).result())
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
executor.shutdown()
print(f"RESULT {executor.statistics.executed} of 180 were executed, {len(results)} results, {len(failures)} failed")
