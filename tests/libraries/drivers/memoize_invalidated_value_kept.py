"""An entry is invalidated while a task loads it again: the old value is put into the cache all the same.

requires: py-memoize==3.1.1
include: memoize
expect: stale check, lost update, unguarded own write
at: memoize/wrapper.py:memoize.<locals>.refresh, memoize/wrapper.py:memoize.<locals>.wrapper
"""

import asyncio

from memoize.configuration import DefaultInMemoryCacheConfiguration
from memoize.invalidation import InvalidationSupport
from memoize.wrapper import memoize

USERS = 30
names = dict.fromkeys(range(USERS), "old")
invalidation = InvalidationSupport()


@memoize(configuration=DefaultInMemoryCacheConfiguration(), invalidation=invalidation)
async def name_of(number):
    name = names[number]
    await asyncio.sleep(0.002)
    return name


async def rename(number):
    await asyncio.sleep(0.001)
    names[number] = "new"
    await invalidation.invalidate_for_arguments((number,), {})


async def main():
    for number in range(USERS):
        await name_of(number)
        await asyncio.gather(name_of(number, force_refresh_memoized=True), rename(number))
    old = sum([await name_of(number) == "old" for number in range(USERS)])
    print(f"RESULT {old} of {USERS} names are old though they were invalidated")


asyncio.run(main())
