"""Tasks of a group each return a part; the parts are merged after the group has ended."""

import asyncio


class Download:
    def __init__(self, size):
        self.size = size
        self.received = 0
        self.chunks = []

    async def run(self):
        while self.received < self.size:
            await asyncio.sleep(0)
            chunk = min(3, self.size - self.received)
            self.chunks.append(chunk)
            self.received += chunk
        return self


async def main():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(Download(size).run()) for size in range(5, 25)]
    downloads = [task.result() for task in tasks]
    assert [sum(each.chunks) for each in downloads] == list(range(5, 25))


asyncio.run(main())
