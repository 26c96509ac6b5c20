"""A pool whose users give up after a time: each checks with the Condition's lock held right before it waits, so nothing
is notified in between. Who gives up takes nothing."""

import asyncio


class Pool:
    def __init__(self, size):
        self.free = list(range(size))
        self.changed = asyncio.Condition()

    async def take(self, seconds):
        async with self.changed, asyncio.timeout(seconds):
            while not self.free:
                await self.changed.wait()
            return self.free.pop()

    async def give(self, one):
        async with self.changed:
            self.free.append(one)
            self.changed.notify()


async def use(pool, served, seconds):
    for _ in range(5):
        try:
            one = await pool.take(seconds)
        except TimeoutError:
            continue
        await asyncio.sleep(0.001)
        await pool.give(one)
        served.append(one)


async def main():
    pool, served = Pool(2), []
    patient = [use(pool, served, None) for _ in range(4)]
    await asyncio.gather(*patient, *(use(pool, [], 0.002) for _ in range(4)))
    assert len(served) == 20
    assert sorted(pool.free) == [0, 1]


asyncio.run(main())
