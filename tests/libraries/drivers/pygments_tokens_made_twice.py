"""The tokens of a lexer's class are made by its first object, and so by each of the threads that make one first.

requires: Pygments==2.21.0
include: pygments.lexer
expect: stale check, unguarded check
at: pygments/lexer.py
"""

import threading

from pygments.lexers import (
    BashLexer,
    CLexer,
    CssLexer,
    DiffLexer,
    GoLexer,
    HtmlLexer,
    IniLexer,
    JavaLexer,
    LuaLexer,
    MakefileLexer,
    PythonLexer,
    RustLexer,
    SqlLexer,
    TOMLLexer,
    XmlLexer,
)  # fmt: skip

failures = []
ready = threading.Barrier(4)
CLASSES = (
    BashLexer, CLexer, CssLexer, DiffLexer, GoLexer, HtmlLexer, IniLexer, JavaLexer, LuaLexer, MakefileLexer,
    PythonLexer, RustLexer, SqlLexer, TOMLLexer, XmlLexer,
)  # fmt: skip


def work(place):
    for each in CLASSES:
        ready.wait()
        try:
            list(each().get_tokens("a = 1  # one\n"))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} lexers failed")
