"""A bounded buffer of tasks with an asyncio.Condition, waited for in loops."""

import asyncio


class Buffer:
    def __init__(self, limit):
        self.limit = limit
        self.items = []
        self.condition = asyncio.Condition()

    async def put(self, item):
        async with self.condition:
            while len(self.items) >= self.limit:
                await self.condition.wait()
            self.items.append(item)
            self.condition.notify_all()

    async def get(self):
        async with self.condition:
            await self.condition.wait_for(lambda: self.items)
            item = self.items.pop(0)
            self.condition.notify_all()
            return item


async def main():
    buffer, received = Buffer(3), []

    async def produce(name):
        for number in range(25):
            await buffer.put((name, number))

    async def consume():
        for _ in range(25):
            received.append(await buffer.get())

    await asyncio.gather(produce("a"), consume(), produce("b"), consume())
    assert len(set(received)) == 50 and not buffer.items


asyncio.run(main())
