"""Threads format statements with the lexer that all share, which is made under a lock.

requires: sqlparse==0.6.1
include: sqlparse
expect: nothing
"""

import threading

import sqlparse

wrong = []
failures = []


def work(place):
    for number in range(15):
        try:
            text = sqlparse.format(
                f"select a{number}, b from t{place} where c = {number}", keyword_case="upper", reindent=True
            )
            if f"FROM t{place}" not in text:
                wrong.append(text)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 45 statements are wrong, {len(failures)} failed")
