"""A task gives its connection back before the answer has come: the next task reads that as its own.

requires: redis==4.5.1, async-timeout==5.0.1
include: redis
expect: stale check, overwritten before read, unrepeatable read
at: redis/asyncio/client.py:Redis.execute_command, redis/asyncio/connection.py:ConnectionPool.get_connection
"""

import asyncio

import redis.asyncio

ROUNDS = 40
wrong = []
given_up = []


async def serve(reader, writer):
    """Answers each GET with the name of its key, and late for keys that are slow."""
    try:
        while head := await reader.readline():
            parts = []
            for _ in range(int(head[1:])):
                size = int((await reader.readline())[1:])
                parts.append((await reader.readexactly(size + 2))[:-2])
            if parts[0] == b"GET":
                await asyncio.sleep(0.01 if parts[1].startswith(b"slow") else 0.001)
                writer.write(b"$%d\r\n%b\r\n" % (len(parts[1]), parts[1]))
            else:
                writer.write(b"+OK\r\n")
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def report(client):
    for number in range(ROUNDS):
        try:
            await asyncio.wait_for(client.get(f"slow {number}"), 0.005)
        except TimeoutError:
            given_up.append(number)
        await asyncio.sleep(0.001)


async def look_up(client, name):
    for number in range(ROUNDS * 2):
        key = f"{name} {number}"
        answer = (await client.get(key)).decode()
        if answer != key:
            wrong.append((key, answer))
        await asyncio.sleep(0.002)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = redis.asyncio.Redis(port=server.sockets[0].getsockname()[1])
    await asyncio.gather(report(client), look_up(client, "Ann"), look_up(client, "Bob"))
    await client.close()
    server.close()


asyncio.run(main())
print(f"RESULT {len(wrong)} of {4 * ROUNDS} answers were those to another, after {len(given_up)} were given up")
