"""Tasks enter at a limited rate: each looks at the oldest time and replaces it without giving way in between.

requires: throttler==1.2.3
include: throttler
expect: nothing
"""

import asyncio
import time

from throttler import Throttler

entered = []


async def call(throttler):
    async with throttler:
        entered.append(time.monotonic())
        await asyncio.sleep(0)


async def main():
    throttler = Throttler(rate_limit=20, period=0.1)
    await asyncio.gather(*(call(throttler) for _ in range(120)))


asyncio.run(main())
early = sum(later - first < 0.1 for first, later in zip(entered, entered[20:], strict=False))
print(f"RESULT {len(entered)} of 120 tasks entered, {early} of them too early")
