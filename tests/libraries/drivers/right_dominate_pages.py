"""Threads and tasks build pages with `with`: the open tag is kept by each, and no page gets another's.

requires: dominate==2.9.1
include: dominate
expect: nothing
"""

import asyncio
import threading

from dominate import document
from dominate.tags import b, li, p, ul

ready = threading.Barrier(4)
wrong = []


def check(name, page):
    text = str(page)
    if text.count(name) != 17:
        wrong.append(name)


def build(place):
    ready.wait()
    for number in range(10):
        name = f"t{place}n{number};"
        page = document(title=name)
        with page, ul():
            for _ in range(16):
                with li(), p():
                    b(name)
        check(name, page)


async def build_too(place):
    name = f"a{place};"
    page = document(title=name)
    with page, ul():
        for _ in range(16):
            with li():
                await asyncio.sleep(0)
                with p():
                    b(name)
    check(name, page)


async def build_all():
    await asyncio.gather(*(asyncio.create_task(build_too(place)) for place in range(8)))


threads = [threading.Thread(target=build, args=(place,)) for place in range(3)]
threads.append(threading.Thread(target=lambda: (ready.wait(), asyncio.run(build_all()))))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT nothing wrong: {len(wrong)} pages of 38 have what is another's")
