"""Threads transliterate at once at the start: a language is not found, as the registry is half made.

requires: transliterate==1.10.2
include: transliterate
expect: stale check, failed access
at: transliterate/utils.py:ensure_autodiscover, transliterate/base.py:TranslitRegistry.register
"""

import threading
import time

from transliterate import translit
from transliterate.exceptions import LanguagePackNotFound

missing = []
made = []


def serve(place, language):
    time.sleep(0.0006 * place)
    try:
        made.append(translit("Privet, mir", language))
    except LanguagePackNotFound:
        missing.append(language)


languages = ("hy", "mn", "ka", "sr", "hy", "mn", "ka", "bg", "hy", "mn")
threads = [threading.Thread(target=serve, args=one) for one in enumerate(languages)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(missing)} times a language was not found, {len(made)} times it was: {sorted(set(missing))}")
