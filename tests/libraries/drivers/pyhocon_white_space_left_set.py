"""Each parse sets the white space of all parsers for a while, and one restores what the other had set.

requires: pyhocon==0.3.63, pyparsing==3.3.3
include: pyhocon, pyparsing
expect: overwritten before read, stale check, unrepeatable read, lost update
at: pyhocon/config_parser.py:ConfigParser.parse.<locals>.set_default_white_spaces
"""

import threading

from pyhocon import ConfigFactory
from pyparsing import ParserElement

RELOADS = 25
TEXT = """
service {
  name = "mail"
  hosts = [
    "a.example",
    "b.example"
  ]
  limits { size = 10, rate = 2.5 }
}
"""
before = ParserElement.DEFAULT_WHITE_CHARS
failed = []
left = 0


def load(text):
    try:
        ConfigFactory.parse_string(text)
    except Exception as error:
        failed.append(error)


for reload in range(RELOADS):
    texts = [TEXT * count for count in (1, 2, 3)]
    threads = [threading.Thread(target=load, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left += ParserElement.DEFAULT_WHITE_CHARS != before
print(f"RESULT after {left} of {RELOADS} reloads the white space was left set, {len(failed)} loads failed")
