"""A watcher is cancelled and cleans up. The set of running tasks is changed by done callbacks of the loop."""

import asyncio


class Supervisor:
    def __init__(self):
        self.running = set()
        self.ticks = 0
        self.cleaned = False

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task

    async def watch(self):
        try:
            while True:
                self.ticks += 1
                await asyncio.sleep(0)
        finally:
            self.cleaned = True


async def main():
    supervisor = Supervisor()
    watcher = supervisor.spawn(supervisor.watch())
    jobs = [supervisor.spawn(asyncio.sleep(0, number)) for number in range(20)]
    assert await asyncio.gather(*jobs) == list(range(20))
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    await asyncio.sleep(0)
    assert supervisor.cleaned and not supervisor.running and supervisor.ticks > 0


asyncio.run(main())
