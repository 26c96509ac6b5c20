"""A pool of connections: a semaphore says that one is free, and take and give back are done without an await."""

import asyncio
import contextlib


class Connection:
    def __init__(self, number):
        self.number = number
        self.query = None

    async def execute(self, query):
        self.query = query
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return self.query


class Pool:
    def __init__(self, size):
        self.idle = [Connection(number) for number in range(size)]
        self.size = size
        self.available = asyncio.Semaphore(size)

    @contextlib.asynccontextmanager
    async def connection(self):
        async with self.available:
            connection = self.idle.pop()
            try:
                yield connection
            finally:
                if len(self.idle) < self.size:
                    self.idle.append(connection)


async def main():
    pool = Pool(3)

    async def use(number):
        for each in range(5):
            async with pool.connection() as connection:
                assert await connection.execute((number, each)) == (number, each)

    await asyncio.gather(*(use(number) for number in range(8)))
    assert sorted(each.number for each in pool.idle) == [0, 1, 2]


asyncio.run(main())
