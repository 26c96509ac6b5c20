"""Threads parse dates with the same parser, which remembers languages: one fails as another finds a new language.

requires: dateparser==1.2.0
include: dateparser
expect: changed while iterated, unguarded iteration, failed access
at: dateparser/date.py
"""

# With try_previous_locales the parser goes through the languages that it has met, and adds the one that fitted.
# Who adds one while another thread goes through them breaks its iteration: OrderedDict mutated during iteration.

import threading

from dateparser.date import DateDataParser

TEXTS = ("12 Februar 2015", "13 janvier 2014", "3 settembre 2013", "14 oktober 2011", "25 junio 2012", "1 maj 2016")
PARSERS = 12
parsers = [
    DateDataParser(languages=["de", "fr", "it", "nl", "es", "pl"], try_previous_locales=True) for _ in range(PARSERS)
]
failures = []
found = []
start = threading.Barrier(3, timeout=20)


def work(place):
    for parser in parsers:
        start.wait()
        for text in TEXTS[place:] + TEXTS[:place]:
            try:
                found.append(parser.get_date_data(text).date_obj)
            except RuntimeError as error:
                failures.append(error)


threads = [threading.Thread(target=work, args=(2 * place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {len(found) + len(failures)} dates failed")
