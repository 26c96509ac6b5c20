"""python server.py SECONDS: a server at work, with all that comes and goes in one: sessions, names, threads, tasks."""

import asyncio
import contextlib
import itertools
import queue
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

numbers = itertools.count()
sessions = {}
totals = {"requests": 0, "bytes": 0}
lock = threading.Lock()
log = queue.Queue()


class Session:
    def __init__(self, user):
        self.user = user
        self.seen = []
        self.hits = 0

    def touch(self, path):
        self.hits += 1
        self.seen.append(path)
        del self.seen[:-5]


def request(number):
    user = f"user-{random.randrange(10_000_000)}"
    session = sessions.setdefault(user, Session(user))
    session.touch(f"/page/{number}")
    totals["requests"] += 1
    with lock:
        totals["bytes"] += number % 1000
    if len(sessions) > 500:
        for old in list(sessions)[:100]:
            sessions.pop(old, None)
    log.put((user, session.hits))


def write_log(end):
    while not end.is_set() or not log.empty():
        with contextlib.suppress(queue.Empty):
            log.get(timeout=0.1)


async def answer(number):
    hits = totals["requests"]
    await asyncio.sleep(0)
    request(number)
    totals["last"] = hits


async def serve(until):
    while time.monotonic() < until:
        await asyncio.gather(*(answer(next(numbers)) for _ in range(20)))
        await asyncio.sleep(0.1)


def main(seconds):
    until, end = time.monotonic() + seconds, threading.Event()
    writer = threading.Thread(target=write_log, args=(end,), name="log")
    writer.start()
    tasks = threading.Thread(target=lambda: asyncio.run(serve(until)), name="tasks")
    tasks.start()
    with ThreadPoolExecutor(4) as pool:
        while time.monotonic() < until:
            pool.map(request, [next(numbers) for _ in range(20)])
            short = threading.Thread(target=request, args=(next(numbers),))
            short.start()
            short.join()
            time.sleep(0.1)
    tasks.join()
    end.set()
    writer.join()
    print(next(numbers), "requests")


main(float(sys.argv[1]))
