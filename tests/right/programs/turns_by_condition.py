"""Threads take turns: each waits under the condition until the number of the turn is its own."""

import threading

WORKERS = 4
condition = threading.Condition()
turn = 0
log = []


def work(me):
    global turn
    for _ in range(20):
        with condition:
            condition.wait_for(lambda: turn % WORKERS == me)
            log.append(me)
            turn += 1
            condition.notify_all()


threads = [threading.Thread(target=work, args=(me,)) for me in range(WORKERS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert log == [0, 1, 2, 3] * 20 and turn == 80
