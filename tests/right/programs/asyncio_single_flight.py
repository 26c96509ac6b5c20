"""The task that makes a value is stored before anyone awaits it, so each value is made once and awaited by all."""

import asyncio


class Loader:
    def __init__(self):
        self.tasks = {}
        self.loads = []

    async def load(self, key):
        self.loads.append(key)
        await asyncio.sleep(0)
        return {"key": key, "users": 0}

    async def get(self, key):
        if key not in self.tasks:
            self.tasks[key] = asyncio.create_task(self.load(key))
        return await self.tasks[key]


async def main():
    loader = Loader()

    async def use():
        for key in range(8):
            value = await loader.get(key)
            value["users"] += 1

    await asyncio.gather(*(use() for _ in range(6)))
    assert sorted(loader.loads) == list(range(8))
    assert [(await loader.get(key))["users"] for key in range(8)] == [6] * 8


asyncio.run(main())
