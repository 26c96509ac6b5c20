"""A crawler marks an address as seen in the same hold of the lock in which it looks it up: each is fetched once."""

import queue
import threading

LINKS = {number: [number * 2, number * 2 + 1, number // 2] for number in range(1, 40)}
todo = queue.Queue()
seen, seen_lock = set(), threading.Lock()
fetched = []


def offer(page):
    with seen_lock:
        if page in seen:
            return
        seen.add(page)
    todo.put(page)


def crawl():
    while (page := todo.get()) is not None:
        fetched.append(page)
        for link in LINKS.get(page, ()):
            offer(link)
        todo.task_done()
    todo.task_done()


offer(1)
threads = [threading.Thread(target=crawl) for _ in range(4)]
for thread in threads:
    thread.start()
todo.join()
for _ in threads:
    todo.put(None)
for thread in threads:
    thread.join()
assert len(fetched) == len(set(fetched)) == len(seen) == 80
