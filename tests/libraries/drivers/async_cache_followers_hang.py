"""The task that loads a value for all is cancelled as its time is up: those who wait for its answer wait for ever.

requires: async-cache==2.0.3
include: cache
expect: deadlock, lost notification
at: cache/async_cache.py:AsyncCache.get
"""

import asyncio

from cache import AsyncTTL


@AsyncTTL(time_to_live=60)
async def rates(day):
    await asyncio.sleep(0.05)
    return {"day": day}


async def impatient(day):
    try:
        return await asyncio.wait_for(rates(day), 0.02)
    except TimeoutError:
        return None


async def patient(day):
    return await rates(day)


async def main():
    tasks = []
    for day in range(5):
        tasks.append(asyncio.create_task(impatient(day)))
        tasks += [asyncio.create_task(patient(day)) for _ in range(3)]
    done, waiting = await asyncio.wait(tasks, timeout=1.5)
    print(f"RESULT {len(waiting)} tasks wait for ever, {len(done)} are done")
    for task in waiting:
        task.cancel()


asyncio.run(main())
