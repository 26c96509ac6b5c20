"""A cached coroutine function is called by several tasks at a time: each of them does the work.

requires: aiocache==0.12.3
include: aiocache
expect: stale check, unguarded check
at: aiocache/decorators.py, aiocache/backends/memory.py
"""

# The wrapper looks the key up, and if it is not there awaits the function and stores the result. The other tasks
# run during that await and find nothing either: an expensive request is made as often as there are tasks.

import asyncio

from aiocache import cached

requests = []


@cached(ttl=60)
async def price(article):
    requests.append(article)
    await asyncio.sleep(0.001)
    return article * 3


async def customer():
    return [await price(article) for article in range(1, 61)]


async def main():
    return await asyncio.gather(*(customer() for _ in range(5)))


asyncio.run(main())
print(f"RESULT {len(requests)} requests for the prices of 60 articles")
