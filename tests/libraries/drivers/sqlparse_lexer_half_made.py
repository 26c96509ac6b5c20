"""The first threads that parse take a lexer that another one is still making.

requires: sqlparse==0.4.4
include: sqlparse.lexer
expect: stale check, unguarded check, failed access, read skew, intermediate read
at: sqlparse/lexer.py
"""

# get_default_instance() stores the lexer in the class before default_initialization() has given it its expressions and
# keywords: the other threads see that there is one, and lex without them.

import threading

import sqlparse

start = threading.Barrier(4, timeout=20)
types = []
failures = []


def parse():
    start.wait()
    for _ in range(20):
        try:
            (statement,) = sqlparse.parse("select name from users where id = 1")
            types.append(statement.get_type())
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=parse) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = sum(each != "SELECT" for each in types)
print(f"RESULT {wrong} of {len(types)} statements were taken for something else, {len(failures)} calls failed")
