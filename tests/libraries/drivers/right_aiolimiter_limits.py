"""Tasks pass one limiter, which looks at its bucket and fills it without a switch in between.

requires: aiolimiter==1.3.0
include: aiolimiter
expect: nothing
"""

import asyncio

from aiolimiter import AsyncLimiter

PASSES = 30
times = []


async def work(limiter):
    loop = asyncio.get_running_loop()
    for _ in range(PASSES):
        async with limiter:
            times.append(loop.time())
        await asyncio.sleep(0)


async def main():
    limiter = AsyncLimiter(20, 0.1)
    await asyncio.gather(*(work(limiter) for _ in range(4)))


asyncio.run(main())
print(f"RESULT {len(times)} passes in {times[-1] - times[0]:.1f} s")
