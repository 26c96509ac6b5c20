"""A locale taken while the translations are loaded again has none of them, and is kept for ever.

requires: tornado==6.6.1
include: tornado
expect: stale check, unrepeatable read, unguarded own write
at: tornado/locale.py:load_translations, tornado/locale.py:Locale.get
"""

import os
import tempfile
import threading
import time

from tornado import locale

LANGUAGES = [first + second for first in "abcd" for second in "xyz"]
with tempfile.TemporaryDirectory() as folder:
    for language in LANGUAGES:
        with open(os.path.join(folder, f"{language}.csv"), "w", encoding="utf-8") as file:
            for number in range(40):
                file.write(f"text {number},{language} {number}\n")
    locale.load_translations(folder)

    def serve():
        for language in LANGUAGES:
            locale.get(language).translate("text 1")
            time.sleep(0.001)

    server = threading.Thread(target=serve)
    server.start()
    while server.is_alive():
        locale.load_translations(folder)
    server.join()
wrong = [language for language in LANGUAGES if locale.get(language).translate("text 39") != f"{language} 39"]
print(f"RESULT {len(wrong)} of {len(LANGUAGES)} languages stay without their translations")
