"""Futures are taken as they complete; only the main thread changes the totals."""

from concurrent.futures import ThreadPoolExecutor, as_completed

totals, failures = {}, []


def job(number):
    if number % 7 == 0:
        raise ValueError(number)
    return sum(range(number))


with ThreadPoolExecutor(max_workers=4) as pool:
    futures = {pool.submit(job, number): number for number in range(1, 61)}
    for future in as_completed(futures):
        number = futures[future]
        try:
            totals[number] = future.result()
        except ValueError as error:
            failures.append(error.args[0])
assert sorted(failures) == [7, 14, 21, 28, 35, 42, 49, 56]
assert sum(totals.values()) == sum(sum(range(n)) for n in range(1, 61) if n % 7)
