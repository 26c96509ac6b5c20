"""A breaker half open lets every task try: one failed and opened it, and one that comes back later closes it again.

requires: aiobreaker==1.2.0
include: aiobreaker
expect: stale check, lost update, overwritten before read
at: aiobreaker/state.py:CircuitHalfOpenState.on_success, aiobreaker/state.py:CircuitHalfOpenState.on_failure
"""

import asyncio
from datetime import timedelta

from aiobreaker import CircuitBreaker, CircuitBreakerError, CircuitBreakerState


async def ask(server, seconds):
    await asyncio.sleep(seconds)
    if server == "down":
        raise ConnectionError(server)
    return server


async def main():
    tried = closed = 0
    for number in range(10):
        breaker = CircuitBreaker(fail_max=1, timeout_duration=timedelta(milliseconds=10))
        try:
            await breaker.call_async(ask, "down", 0.001)
        except CircuitBreakerError:
            pass
        await asyncio.sleep(0.015)

        async def request(server, seconds):
            nonlocal tried
            try:
                await breaker.call_async(ask, server, seconds)
                tried += 1
            except CircuitBreakerError as error:
                tried += isinstance(error.__cause__, ConnectionError)

        await asyncio.gather(request("up", 0.005), request("down", 0.001), request("down", 0.002))
        closed += breaker.current_state == CircuitBreakerState.CLOSED
    print(f"RESULT {tried} tries where 10 may be, {closed} breakers of 10 closed though the last trial opened them")


asyncio.run(main())
