"""The tree of all emoji is built as it is first needed: another thread searches in it as it is half built.

requires: emoji==2.16.0
include: emoji
expect: stale check, unguarded check, intermediate read, read skew
at: emoji/tokenizer.py
"""

import threading

import emoji

EMOJI = [each for each, data in emoji.EMOJI_DATA.items() if data["status"] == emoji.STATUS["fully_qualified"]][::-40]
start = threading.Barrier(4)
wrong = []
failures = []


def work():
    start.wait()
    for each in EMOJI:
        try:
            if emoji.demojize(each) == each:
                wrong.append(each)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {4 * len(EMOJI)} emoji have no name, {len(failures)} failed")
