"""A parser of an indented language is shared: threads mix up the levels of their texts.

requires: lark==1.3.1
include: lark
expect: overwritten before read, unguarded own write, stale check, unguarded check, failed access, stale container
at: lark/indenter.py
"""

# The parser keeps nothing of a text, but its Indenter, which belongs to the parser, keeps the stack of levels and the
# depth of parentheses in attributes: a second text that starts sets them to nothing, and adds its own.

import threading

from lark import Lark, Token, Tree
from lark.exceptions import LarkError
from lark.indenter import Indenter

GRAMMAR = r"""
?start: _NL* tree
tree: NAME _NL [_INDENT tree+ _DEDENT]
NAME: /\w+/
_NL: /(\r?\n[\t ]*)+/
%declare _INDENT _DEDENT
"""
TEXT = """
a
    b
    c
        d
        e
            f
    g
"""
TEXTS = 60


class Levels(Indenter):
    NL_type = "_NL"
    OPEN_PAREN_types = []  # noqa: RUF012
    CLOSE_PAREN_types = []  # noqa: RUF012
    INDENT_type = "_INDENT"
    DEDENT_type = "_DEDENT"
    tab_len = 8


parser = Lark(GRAMMAR, parser="lalr", postlex=Levels())
right = parser.parse(TEXT)
assert isinstance(right, Tree) and isinstance(right.children[0], Token)
wrong = []
failures = []
start = threading.Barrier(3, timeout=20)


def work():
    start.wait()
    for _ in range(TEXTS):
        try:
            if parser.parse(TEXT) != right:
                wrong.append(TEXT)
        except (LarkError, AssertionError, IndexError) as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {3 * TEXTS} trees are wrong, {len(failures)} texts failed")
