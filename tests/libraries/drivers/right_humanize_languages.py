"""Each thread activates a language of its own; the translations that are loaded are shared.

requires: humanize==4.17.0
include: humanize
expect: nothing
"""

import threading

import humanize

LANGUAGES = {"de_DE": "vor 2 Stunden", "fr_FR": "il y a 2 heures", "it_IT": "2 ore fa"}
for language in LANGUAGES:
    humanize.activate(language)
humanize.deactivate()
wrong = []
failures = []


def work(language, text):
    humanize.activate(language)
    for number in range(100):
        try:
            if humanize.naturaltime(2 * 3600) != text or not humanize.intword(number * 1_000_000):
                wrong.append(number)
        except Exception as error:
            failures.append(error)
    humanize.deactivate()


threads = [threading.Thread(target=work, args=each) for each in LANGUAGES.items()]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 300 texts are wrong, {len(failures)} failed")
