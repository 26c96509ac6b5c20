"""A decorator memoises results in a dict of its own; the function is pure and the results are tuples."""

import functools
import threading


def memoised(function):
    results = {}

    @functools.wraps(function)
    def wrapper(*arguments):
        try:
            return results[arguments]
        except KeyError:
            result = results[arguments] = function(*arguments)
            return result

    wrapper.results = results
    return wrapper


@memoised
def factors(number):
    found, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return tuple(found)


products = []


def work():
    for number in range(2, 60):
        product = 1
        for factor in factors(number):
            product *= factor
        products.append(product == number)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(products) and len(factors.results) == 58
