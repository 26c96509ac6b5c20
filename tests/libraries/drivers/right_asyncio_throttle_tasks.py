"""Tasks of one loop share a throttler: between its look at the log and its own entry it awaits nothing.

requires: asyncio-throttle==1.0.2
include: asyncio_throttle
expect: nothing
"""

import asyncio
import time

from asyncio_throttle import Throttler

begun = []


async def call(throttler):
    for _ in range(3):
        async with throttler:
            begun.append(time.monotonic())
            await asyncio.sleep(0.002)


async def main():
    throttler = Throttler(rate_limit=6, period=0.2, retry_interval=0.005)
    await asyncio.gather(*(call(throttler) for _ in range(8)))


asyncio.run(main())
most = max(sum(start <= other < start + 0.19 for other in begun) for start in begun)
print(f"RESULT nothing wrong: {most} of {len(begun)} calls in a period, of 6 allowed")
