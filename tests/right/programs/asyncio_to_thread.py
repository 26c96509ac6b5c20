"""Pure work goes to threads by asyncio.to_thread. The tasks alone change the totals, with no await in between."""

import asyncio


def count(text):
    return {letter: text.count(letter) for letter in set(text)}


async def main():
    totals = {}

    async def add(text):
        counts = await asyncio.to_thread(count, text)
        for letter, number in counts.items():
            totals[letter] = totals.get(letter, 0) + number

    await asyncio.gather(*(add("abc" * number + "d") for number in range(20)))
    assert totals == {"a": 190, "b": 190, "c": 190, "d": 20}


asyncio.run(main())
