"""Threads parse queries by the function that has a lexer for each thread.

requires: luqum==1.0.0
include: luqum
expect: nothing
"""

import threading

from luqum.thread import parse

wrong = []
failures = []


def work(place):
    for number in range(40):
        query = f'title:"page {place}" AND (author:a{place} OR year:[{number} TO 2026]) -draft'
        try:
            if str(parse(query)) != query:
                wrong.append(query)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 160 queries are wrong, {len(failures)} failed")
