"""A task that waits for an Event clears it before it looks at what has come. So what comes while it is at work sets the
Event again. It is cancelled as all is done."""

import asyncio


class Mailbox:
    def __init__(self):
        self.items = []
        self.seen = []
        self.event = asyncio.Event()
        self.done = asyncio.Event()

    def post(self, item):
        self.items.append(item)
        self.event.set()

    async def serve(self, number):
        while True:
            await self.event.wait()
            self.event.clear()
            batch, self.items = self.items, []
            for item in batch:
                await asyncio.sleep(0)
                self.seen.append(item)
            if len(self.seen) == number:
                self.done.set()


async def main():
    mailbox = Mailbox()
    task = asyncio.create_task(mailbox.serve(20))
    for number in range(20):
        mailbox.post(number)
        await asyncio.sleep(0.001 if number % 3 else 0)
    await mailbox.done.wait()
    task.cancel()
    assert mailbox.seen == list(range(20))


asyncio.run(main())
