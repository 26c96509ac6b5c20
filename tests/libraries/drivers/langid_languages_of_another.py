"""A thread restricts the languages while others classify: numbers and names are of different sets.

requires: langid==1.1.6, numpy==2.5.5
include: langid
expect: unrepeatable read, failed access, overwritten before read, stale check
at: langid/langid.py:LanguageIdentifier.set_languages, langid/langid.py:LanguageIdentifier.classify
"""

import threading
import time

import langid

SETS = {
    ("de", "en", "fr"): "Ich habe heute leider keine Zeit, wir sehen uns morgen",
    ("es", "it", "pt"): "Oggi purtroppo non ho tempo, ci vediamo domani mattina",
    None: "Jag har tyvärr ingen tid idag, vi ses i morgon bitti på torget",
}
langid.classify("Hello")  # reads the model
ready = threading.Barrier(3)
wrong, failed = [], []


def tell(languages, text):
    ready.wait()
    for _ in range(25):
        langid.set_languages(languages)
        time.sleep(0.001)  # the text is fetched
        try:
            language, _score = langid.classify(text)
        except (IndexError, ValueError) as error:
            failed.append(error)
        else:
            if languages and language not in languages:
                wrong.append(language)


threads = [threading.Thread(target=tell, args=pair) for pair in SETS.items()]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} texts of 75 have a language that was not asked for, {len(failed)} failed")
