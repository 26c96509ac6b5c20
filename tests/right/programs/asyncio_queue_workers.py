"""Tasks take jobs off an asyncio.Queue and store results by job; the queue is joined, and the workers are cancelled."""

import asyncio


async def worker(jobs, results, handled):
    while True:
        job = await jobs.get()
        await asyncio.sleep(0)
        results[job] = job * job
        handled.append(job)
        jobs.task_done()


async def main():
    jobs, results, handled = asyncio.Queue(10), {}, []
    workers = [asyncio.create_task(worker(jobs, results, handled)) for _ in range(4)]
    for job in range(80):
        await jobs.put(job)
    await jobs.join()
    for each in workers:
        each.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert results == {job: job * job for job in range(80)} and len(handled) == 80


asyncio.run(main())
