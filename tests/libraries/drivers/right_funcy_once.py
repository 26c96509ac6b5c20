"""A function that runs once for each argument, under a lock.

requires: funcy==2.1
include: funcy
expect: nothing
"""

import threading

import funcy

made = []


@funcy.once_per("number")
def make(number):
    made.append([number] * 20)


def work():
    for number in range(600):
        make(number)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} of 600 were made")
