"""Tasks read, await and write under an asyncio.Lock."""

import asyncio


class Account:
    def __init__(self):
        self.lock = asyncio.Lock()
        self.balance = 0

    async def deposit(self, amount):
        async with self.lock:
            balance = self.balance
            await asyncio.sleep(0)
            self.balance = balance + amount


async def main():
    account = Account()
    await asyncio.gather(*(account.deposit(amount) for amount in range(50)))
    assert account.balance == sum(range(50))


asyncio.run(main())
