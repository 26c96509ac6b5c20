"""Check and act, read and write: each has no await in between, so no other task can come in."""

import asyncio


class Desk:
    def __init__(self):
        self.free = 30
        self.seats = {}
        self.next_number = 0

    async def book(self, name):
        await asyncio.sleep(0)
        if self.free > 0 and name not in self.seats:
            self.free -= 1
            self.next_number += 1
            self.seats[name] = self.next_number
        await asyncio.sleep(0)
        return self.seats.get(name)


async def main():
    desk = Desk()
    booked = await asyncio.gather(*(desk.book(f"guest{number % 40}") for number in range(80)))
    assert desk.free == 0 and sorted(desk.seats.values()) == list(range(1, 31))
    assert sum(each is None for each in booked) == 20


asyncio.run(main())
