"""A semaphore bounds how many tasks are inside.

The count is changed without an await between its read and its write.
"""

import asyncio


class Gate:
    def __init__(self, limit):
        self.semaphore = asyncio.Semaphore(limit)
        self.inside = 0
        self.most = 0

    async def fetch(self, number):
        async with self.semaphore:
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(0)
            self.inside -= 1
            return number


async def main():
    gate = Gate(3)
    numbers = await asyncio.gather(*(gate.fetch(number) for number in range(40)))
    assert numbers == list(range(40)) and gate.inside == 0 and gate.most == 3


asyncio.run(main())
