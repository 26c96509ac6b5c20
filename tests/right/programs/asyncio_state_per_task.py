"""Each connection's task keeps state in an object of its own, over awaits; a context variable says whose it is."""

import asyncio
import contextvars

current = contextvars.ContextVar("current")


class Request:
    def __init__(self, number):
        self.number = number
        self.status = None
        self.log = []


def note(text):
    current.get().log.append(text)


async def authenticate():
    await asyncio.sleep(0)
    note("authenticated")
    current.get().status = 200


async def handle(number):
    request = Request(number)
    current.set(request)
    note(f"request {number}")
    await authenticate()
    await asyncio.sleep(0)
    note(f"status {request.status}")
    return request


async def main():
    requests = await asyncio.gather(*(handle(number) for number in range(30)))
    for number, request in enumerate(requests):
        assert request.log == [f"request {number}", "authenticated", "status 200"]


asyncio.run(main())
