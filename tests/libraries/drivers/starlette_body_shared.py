"""Two tasks ask for the body of the same request: each gets a part of it, or an error.

requires: starlette==1.10.0
include: starlette.requests
expect: stale check, unguarded check
at: starlette/requests.py
"""

# body() looks whether the body is there, reads it from the stream piece by piece if not, and stores what it has: two
# tasks both find none and divide the pieces among them, and the part that is stored last is what all later calls get.

import asyncio

from starlette.requests import Request

REQUESTS = 300
CHUNKS = [b"%d;" % number for number in range(6)]
wrong = []
failures = []


async def serve():
    chunks = list(CHUNKS)

    async def receive():
        await asyncio.sleep(0)
        chunk = chunks.pop(0) if chunks else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    for body in await asyncio.gather(request.body(), request.body(), return_exceptions=True):
        if isinstance(body, BaseException):
            failures.append(body)
        elif body != b"".join(CHUNKS):
            wrong.append(body)


async def main():
    for _ in range(REQUESTS):
        await serve()


asyncio.run(main())
print(f"RESULT {len(wrong)} of {2 * REQUESTS} bodies are incomplete, {len(failures)} failed")
