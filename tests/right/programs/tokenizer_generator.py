"""A generator keeps the state of a tokenizer in local variables. Each thread makes its own generator."""

import re
import threading

TOKEN = re.compile(r"\s*(?:(\d+)|(.))")


def tokens(text):
    depth = 0
    for number, operator in TOKEN.findall(text):
        if operator == "(":
            depth += 1
        elif operator == ")":
            depth -= 1
            if depth < 0:
                raise ValueError(text)
        yield ("number", int(number), depth) if number else ("operator", operator, depth)


totals = {}


def work(number):
    text = f"({number} + (2 * {number}))"
    total = 0
    for _ in range(40):
        total += sum(value for kind, value, _ in tokens(text) if kind == "number")
    totals[number] = total


threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert totals == {number: 40 * (2 * number + 2) for number in range(5)}
