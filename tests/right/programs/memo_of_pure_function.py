"""A memo without a lock. Two threads may compute the same number; both compute the same, and it is never changed."""

import threading

memo = {}


def ways(steps):
    if steps in memo:
        return memo[steps]
    result = 1 if steps < 2 else ways(steps - 1) + ways(steps - 2)
    memo[steps] = result
    return result


answers = []


def work():
    for steps in range(40):
        answers.append((steps, ways(steps)))


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(set(answers)) == 40 and ways(10) == 89
