"""A dictionary is loaded at its first use: threads that come meanwhile find no word in it.

requires: pronouncing==0.3.0
include: pronouncing
expect: stale check, unguarded check, failed access, intermediate read, read skew
at: pronouncing/__init__.py
"""

# init_cmu() loads only if there are no pronunciations. It sets these first, and then fills the two tables which
# the functions read: a thread that sees them set goes on to a table that is None, or only half filled.

import io
import threading
import time

import pronouncing

WORDS = 15000
SOURCE = b"".join(b"word%d W ER1 D %d\n" % (number, number % 10) for number in range(WORDS))
missed = []
failures = []


def work(place):
    time.sleep(place / 100)
    pronouncing.init_cmu(io.BytesIO(SOURCE))
    try:
        if not pronouncing.phones_for_word(f"word{WORDS - 1 - place}"):
            missed.append(place)
    except (TypeError, KeyError) as error:
        failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(missed)} of 8 words were not found, {len(failures)} look-ups failed")
