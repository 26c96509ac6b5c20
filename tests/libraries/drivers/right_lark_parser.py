"""One parser is used by several threads, as its documentation allows.

requires: lark==1.3.1
include: lark
expect: nothing
"""

import threading

from lark import Lark

parser = Lark(
    """
    start: sum
    sum: product ("+" product)*
    product: NUMBER ("*" NUMBER)*
    NUMBER: /[0-9]+/
    %ignore " "
    """,
    parser="lalr",
)
wrong = []


def work(place):
    for number in range(40):
        tree = parser.parse(f"{number} * {place} + 3 + 4 * {number}")
        if len(list(tree.find_data("product"))) != 3:
            wrong.append(tree)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 120 were parsed wrongly")
