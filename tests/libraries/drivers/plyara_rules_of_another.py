"""Each thread parses rules with a parser of its own, but all call the parser of the module that was made last.

requires: plyara==2.0.2, ply==3.11
include: plyara, ply
expect: overwritten before read, unrepeatable read, failed access
at: plyara/core.py:Parser.parse_string, plyara/core.py:Plyara, ply/yacc.py, ply/lex.py
"""

import threading
import time

import plyara

RULE = """
rule silent_banker_NUMBER : banker
{
    meta:
        description = "rule NUMBER"
        thread_level = 3
    strings:
        $a = {6A 40 68 00 30 00 00 6A 14 8D 91}
        $b = "UVODFRYSIHLNWPEJXQZAKCBGMT"
    condition:
        $a or $b
}
"""
ROUNDS = 5
COUNT = 12
wrong = []
failed = []


def read(name):
    time.sleep(0.002)  # the disk
    return "".join(RULE.replace("NUMBER", f"{name}{number}") for number in range(COUNT))


def parse(name):
    right = [f"silent_banker_{name}{number}" for number in range(COUNT)]
    for _ in range(ROUNDS):
        parser = plyara.Plyara()
        text = read(name)
        try:
            rules = parser.parse_string(text)
        except Exception as error:
            failed.append(error)
        else:
            if [rule["rule_name"] for rule in rules] != right:
                wrong.append(rules)


threads = [threading.Thread(target=parse, args=(name,)) for name in ("a", "b", "c")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kinds = sorted({type(error).__name__ for error in failed})
print(f"RESULT {len(failed)} of {3 * ROUNDS} parses failed {kinds}, {len(wrong)} were wrong")
