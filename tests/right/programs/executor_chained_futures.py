"""A second step is submitted by the callback of the first; its result goes to a future that was made beforehand."""

from concurrent.futures import Future, ThreadPoolExecutor, wait

pool = ThreadPoolExecutor(3)


def then(future, function):
    result = Future()

    def done(first):
        if first.exception() is not None:
            result.set_exception(first.exception())
        else:
            result.set_result(function(first.result()))

    future.add_done_callback(done)
    return result


def parse(text):
    return [int(part) for part in text.split(",")]


chains = []
for number in range(40):
    parsed = pool.submit(parse, f"{number},{number + 1},x" if number % 10 == 9 else f"{number},{number + 1}")
    chains.append(then(then(parsed, sum), str))
wait(chains)
pool.shutdown()
texts = [chain.result() for chain in chains if chain.exception() is None]
assert texts == [str(2 * number + 1) for number in range(40) if number % 10 != 9]
