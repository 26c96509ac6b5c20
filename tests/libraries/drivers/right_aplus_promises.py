"""Promises that lock their callbacks; threads keep them and wait for all of them.

requires: aplus==0.11.0
include: aplus
expect: nothing
"""

import threading

from aplus import Promise, dictPromise, listPromise

lock = threading.Lock()
heard = 0


def hear(value):
    global heard
    with lock:
        heard += 1
    return value


ROUNDS = 150
promises = [[Promise() for _ in range(3)] for _ in range(ROUNDS)]
sums = []


def fulfil(place):
    for number in range(ROUNDS):
        promises[number][place].fulfill(number * 3 + place)


def listen():
    for number in range(ROUNDS):
        followers = [promise.then(hear) for promise in promises[number]]
        values = listPromise(followers).get(5)
        named = dictPromise({"first": followers[0], "last": followers[-1]}).get(5)
        sums.append(sum(values) == 9 * number + 3 and named["last"] == values[-1])


threads = [threading.Thread(target=fulfil, args=(place,)) for place in range(3)]
threads += [threading.Thread(target=listen) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT nothing wrong: {heard} values heard of {2 * 3 * ROUNDS}, {sum(sums)} sums right of {2 * ROUNDS}")
