"""A queue between threads and tasks of an event loop.

requires: janus==2.0.0
include: janus
expect: nothing
"""

import asyncio
import threading

import janus


async def main():
    queue = janus.Queue(maxsize=20)

    def put(place):
        for number in range(200):
            queue.sync_q.put((place, number))

    threads = [threading.Thread(target=put, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    got = [await queue.async_q.get() for _ in range(600)]
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    await queue.aclose()
    return got


got = asyncio.run(main())
print(f"RESULT {len(set(got))} of 600 items came through")
