"""One task initialises and sets an event, the others wait for it. Who is first is decided without an await."""

import asyncio


class Service:
    def __init__(self):
        self.starting = False
        self.ready = asyncio.Event()
        self.tables = None
        self.starts = 0

    async def ensure(self):
        if not self.starting:
            self.starting = True
            await self.start()
            self.ready.set()
        await self.ready.wait()

    async def start(self):
        self.starts += 1
        await asyncio.sleep(0)
        self.tables = {"users": []}

    async def add(self, name):
        await self.ensure()
        self.tables["users"].append(name)


async def main():
    service = Service()
    await asyncio.gather(*(service.add(number) for number in range(20)))
    assert service.starts == 1 and sorted(service.tables["users"]) == list(range(20))


asyncio.run(main())
