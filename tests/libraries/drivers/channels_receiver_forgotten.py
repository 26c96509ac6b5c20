"""A receiver that is done drops the queue that another one waits at, and the next message goes to a new one.

requires: channels==4.3.2, Django==6.1.3, asgiref==3.13.0
include: channels
expect: lost notification, deadlock, stale check, unrepeatable read
at: channels/layers.py:InMemoryChannelLayer.receive, channels/layers.py:InMemoryChannelLayer.send
"""

import asyncio

from channels.layers import InMemoryChannelLayer

CHANNELS = 5


async def work(layer, channel):
    message = await layer.receive(channel)
    await asyncio.sleep(0.001)  # makes the picture
    return message["number"]


async def main():
    layer = InMemoryChannelLayer()
    workers = [asyncio.create_task(work(layer, f"pictures{number}")) for number in range(CHANNELS) for _ in range(2)]
    for number in range(2):
        await asyncio.sleep(0.002)
        for channel in range(CHANNELS):
            await layer.send(f"pictures{channel}", {"type": "make", "number": number})
    done, waiting = await asyncio.wait(workers, timeout=0.5)
    left = sum(queue.qsize() for queue in layer.channels.values())
    for worker in waiting:
        worker.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return len(done), len(waiting), left


done, waiting, left = asyncio.run(main())
print(f"RESULT {waiting} workers of {2 * CHANNELS} wait for ever, while {left} messages wait for a worker")
