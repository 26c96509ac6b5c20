"""One stack of languages is kept for all threads, and a reader gets the mail in another's language.

requires: flufl.i18n==8.0.0, atpublic==9.0.0
include: flufl.i18n
expect: overwritten before read, stale check
at: flufl/i18n/_application.py:Application.push, flufl/i18n/_application.py:Application.pop
"""

import threading
import time
from gettext import NullTranslations

from flufl.i18n import registry

WORDS = {"it": "Benvenuto", "de": "Willkommen", "fr": "Bienvenue", "es": "Bienvenido"}


class Catalog(NullTranslations):
    def __init__(self, word):
        super().__init__()
        self.word = word

    def gettext(self, message):
        return self.word


class Strategy:
    name = "mails"

    def __call__(self, language_code=None):
        return NullTranslations() if language_code is None else Catalog(WORDS[language_code])


_ = registry.register(Strategy())._
ready = threading.Barrier(4)
wrong = []


def mail(code):
    ready.wait()
    for _number in range(20):
        with _.using(code):
            time.sleep(0.001)  # the member's address is looked up
            text = _("Welcome")
        if text != WORDS[code]:
            wrong.append(text)


threads = [threading.Thread(target=mail, args=(code,)) for code in WORDS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} mails of 80 are in the language of another")
