"""A parser keeps its position in attributes.

Each thread has a parser of its own, so nothing is shared but the texts.
"""

import threading

TEXTS = ["(add 1 (mul 2 3))", "(mul 4 5)", "(add (add 1 2) (add 3 4))", "(mul (add 1 1) 9)"]
EXPECTED = [7, 20, 10, 18]


class Parser:
    def __init__(self):
        self.tokens = []
        self.position = 0

    def parse(self, text):
        self.tokens = text.replace("(", " ( ").replace(")", " ) ").split()
        self.position = 0
        return self.expression()

    def take(self):
        token = self.tokens[self.position]
        self.position += 1
        return token

    def expression(self):
        token = self.take()
        if token != "(":
            return int(token)
        name = self.take()
        left, right = self.expression(), self.expression()
        self.take()
        return left + right if name == "add" else left * right


results = {}


def work(name):
    parser = Parser()
    results[name] = [[parser.parse(text) for text in TEXTS] for _ in range(30)]


threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(each == EXPECTED for result in results.values() for each in result)
