"""Tasks share a parser with state. Between reset and result nothing is awaited, so no task sees another's state."""

import asyncio


class Parser:
    def __init__(self):
        self.fields = {}
        self.name = None

    def parse(self, line):
        self.fields = {}
        for part in line.split(";"):
            self.name, value = part.split("=")
            self.store(value)
        return self.fields

    def store(self, value):
        self.fields[self.name] = int(value)


parser = Parser()


async def connection(number):
    rows = []
    for each in range(15):
        await asyncio.sleep(0)
        fields = parser.parse(f"connection={number};row={each}")
        await asyncio.sleep(0)
        rows.append((fields["connection"], fields["row"]))
    return rows


async def main():
    for number, rows in enumerate(await asyncio.gather(*(connection(number) for number in range(5)))):
        assert rows == [(number, each) for each in range(15)]


asyncio.run(main())
