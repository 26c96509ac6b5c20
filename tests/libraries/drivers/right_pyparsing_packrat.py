"""A grammar that all threads parse by, with a memory of what was parsed that is guarded by a lock.

requires: pyparsing==3.3.3
include: pyparsing
expect: nothing
"""

import threading

import pyparsing as pp

pp.ParserElement.enable_packrat()
number = pp.Word(pp.nums).set_parse_action(lambda tokens: int(tokens[0]))
expression = pp.infix_notation(number, [("*", 2, pp.OpAssoc.LEFT), ("+", 2, pp.OpAssoc.LEFT)])
expression.parse_string("1 + 2 * 3")
wrong = []


def parse(place):
    for turn in range(12):
        found = expression.parse_string(f"{place} + {turn} * 3").as_list()
        if found != [[place, "+", [turn, "*", 3]]]:
            wrong.append(found)


threads = [threading.Thread(target=parse, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 48 expressions are parsed wrongly")
