"""A visitor collects names in attributes. A new visitor is made for each tree, so threads share none."""

import ast
import threading

SOURCE = """
def area(width, height):
    size = width * height
    def scale(factor):
        return size * factor
    return scale
"""


class Names(ast.NodeVisitor):
    def __init__(self):
        self.depth = 0
        self.deepest = 0
        self.stored = set()

    def visit_FunctionDef(self, node):
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        self.stored.add(node.name)
        self.generic_visit(node)
        self.depth -= 1

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):
            self.stored.add(node.id)


tree = ast.parse(SOURCE)
found = {}


def work(number):
    for _ in range(10):
        visitor = Names()
        visitor.visit(tree)
        found[number] = (visitor.deepest, visitor.depth, sorted(visitor.stored))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert set(map(str, found.values())) == {"(2, 0, ['area', 'scale', 'size'])"}
