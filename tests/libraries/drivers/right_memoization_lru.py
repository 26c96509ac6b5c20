"""A function whose results are remembered; the library is asked to be safe for threads.

requires: memoization==0.4.0
include: memoization
expect: nothing
"""

import threading

from memoization import CachingAlgorithmFlag, cached


@cached(max_size=16, algorithm=CachingAlgorithmFlag.LRU, thread_safe=True)
def square(number):
    return number * number


wrong = []


def work():
    for number in range(800):
        if square(number % 24) != (number % 24) ** 2:
            wrong.append(number)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} wrong, {square.cache_info().current_size} entries")
