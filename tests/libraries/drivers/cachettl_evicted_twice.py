"""Tasks ask a cache for the same: each awaits the answer and notes the key, which is thrown out twice and fails.

requires: cachettl==1.0.4
include: cachettl
expect: failed access, stale check
at: cachettl/cachettl.py
"""

import asyncio

from cachettl import async_cachettl

asked = 0


@async_cachettl(ttl=60, maxsize=20)
async def user(number):
    global asked
    asked += 1
    await asyncio.sleep(0.001)
    return {"number": number}


async def main():
    answers = []
    for page in range(10):
        questions = [user(page * 10 + number % 10) for number in range(30)]
        answers += await asyncio.gather(*questions, return_exceptions=True)
    failed = [answer for answer in answers if isinstance(answer, KeyError)]
    print(f"RESULT {asked} questions for 100 users, {len(failed)} failed")


asyncio.run(main())
