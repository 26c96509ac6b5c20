"""Threads write their keys into one dictionary on disk, whose own thread does all the work with the database.

requires: sqlitedict==2.1.0
include: sqlitedict
expect: nothing
"""

import threading

from sqlitedict import SqliteDict

wrong = []
with SqliteDict() as pages:

    def store(place):
        for number in range(60):
            pages[f"{place}-{number}"] = {"place": place, "number": number}
            if pages[f"{place}-{number}"] != {"place": place, "number": number}:
                wrong.append((place, number))
        pages.commit()

    threads = [threading.Thread(target=store, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = len(pages)
print(f"RESULT nothing went wrong: {kept} of 240 pages are kept, {len(wrong)} were read back wrong")
