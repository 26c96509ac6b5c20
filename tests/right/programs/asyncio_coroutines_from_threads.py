"""A loop runs in a thread of its own.

Others submit coroutines by run_coroutine_threadsafe, and wait for the results.
"""

import asyncio
import threading


class Counter:
    def __init__(self):
        self.lock = asyncio.Lock()
        self.value = 0

    async def add(self, amount):
        async with self.lock:
            value = self.value
            await asyncio.sleep(0)
            self.value = value + amount
            return self.value


loop = asyncio.new_event_loop()
runner = threading.Thread(target=loop.run_forever)
runner.start()
counter = Counter()
values = []


def work():
    for _ in range(25):
        values.append(asyncio.run_coroutine_threadsafe(counter.add(2), loop).result())


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
loop.call_soon_threadsafe(loop.stop)
runner.join()
loop.close()
assert counter.value == 150 and sorted(values) == list(range(2, 151, 2))
