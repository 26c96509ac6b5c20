"""A task fetches without holding anything, and looks again after the await before it stores what it fetched."""

import asyncio


class Cache:
    def __init__(self):
        self.values = {}
        self.fetched = 0

    async def fetch(self, key):
        self.fetched += 1
        await asyncio.sleep(0)
        return [key]

    async def get(self, key):
        if key not in self.values:
            value = await self.fetch(key)
            if key not in self.values:
                self.values[key] = value
        return self.values[key]


async def main():
    cache = Cache()

    async def use(number):
        for key in range(10):
            (await cache.get(key)).append(number)

    await asyncio.gather(*(use(number) for number in range(6)))
    assert all(sorted(value[1:]) == list(range(6)) for value in cache.values.values())
    assert len(cache.values) == 10 <= cache.fetched


asyncio.run(main())
