"""A task awaits others while it holds a lock. They take another lock, always in that order, so no circle can close. One
gives up after a time."""

import asyncio
import contextlib


async def work(inner, done):
    async with inner:
        await asyncio.sleep(0)
        done.append(1)


async def batch(outer, inner, done):
    async with outer:
        await asyncio.create_task(work(inner, done))
        await asyncio.gather(work(inner, done), work(inner, done))
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(work(inner, done))


async def hold(lock):
    async with lock:
        await asyncio.sleep(0.01)


async def main():
    outer, inner, done = asyncio.Lock(), asyncio.Lock(), []
    await asyncio.gather(*(batch(outer, inner, done) for _ in range(3)))
    assert len(done) == 15
    task = asyncio.create_task(hold(outer))
    await asyncio.sleep(0)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(batch(outer, inner, []), 0.001)
    await task
    assert not inner.locked()


asyncio.run(main())
