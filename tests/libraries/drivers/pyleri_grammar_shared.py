"""A grammar is made once, as its documents say, and parses for two threads: one parses the text of the other.

requires: pyleri==1.5.1
include: pyleri
expect: overwritten before read, unrepeatable read, failed access
at: pyleri/grammar.py:Grammar.parse, pyleri/grammar.py:Grammar._walk
"""

import threading

from pyleri import Choice, Grammar, Keyword, List, Regex, Sequence


class Query(Grammar):
    k_select = Keyword("select")
    k_from = Keyword("from")
    r_name = Regex("[a-z]+")
    r_number = Regex("[0-9]+")
    columns = List(Choice(r_name, r_number), delimiter=",", mi=1)
    START = Sequence(k_select, columns, k_from, r_name)


ROUNDS = 1000
query = Query()
wrong = []
failed = []


def check(text, valid):
    for _ in range(ROUNDS):
        try:
            if query.parse(text).is_valid != valid:
                wrong.append(text)
        except Exception as error:
            failed.append(error)


threads = [
    threading.Thread(target=check, args=("select a, b, c, 17 from people", True)),
    threading.Thread(target=check, args=("select name, 5, from where", False)),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kinds = sorted({type(error).__name__ for error in failed})
print(f"RESULT {len(wrong)} of {2 * ROUNDS} answers were wrong, {len(failed)} failed {kinds}")
