"""Tasks append to a buffer, another one swaps it. There is no await between the read of the buffer and its change."""

import asyncio


class Log:
    def __init__(self):
        self.buffer = []
        self.written = []

    def write(self, item):
        self.buffer.append(item)

    async def flush(self):
        batch, self.buffer = self.buffer, []
        await asyncio.sleep(0)
        self.written.extend(batch)


async def main():
    log = Log()

    async def writer(name):
        for number in range(30):
            log.write((name, number))
            await asyncio.sleep(0)

    async def flusher():
        for _ in range(20):
            await asyncio.sleep(0)
            await log.flush()

    await asyncio.gather(writer("a"), writer("b"), flusher())
    await log.flush()
    assert sorted(log.written) == [(name, number) for name in "ab" for number in range(30)]


asyncio.run(main())
