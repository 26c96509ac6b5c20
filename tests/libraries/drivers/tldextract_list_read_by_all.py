"""Threads use an extractor for the first time: each reads the list of suffixes.

requires: tldextract==5.4.0
include: tldextract
expect: stale check, unguarded check
at: tldextract/tldextract.py:TLDExtract._get_tld_extractor
"""

import threading

from tldextract import TLDExtract

extract = TLDExtract(suffix_list_urls=(), cache_dir=None)
found = []
failures = []
ready = threading.Barrier(3)


def work(place):
    ready.wait()
    for number in range(100):
        try:
            found.append(extract(f"https://www.site{number}.co.uk/page{place}").domain)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(found)} domains were found, {len(failures)} failed")
