"""Two threads find the rules of a region not loaded, and each loads them, one after the other.

requires: phonenumbers==9.0.43
include: phonenumbers
expect: stale check
at: phonenumbers/phonemetadata.py:PhoneMetadata.metadata_for_region
"""

import threading

import phonenumbers

REGIONS = ["GB", "US", "DE", "FR", "IT", "JP", "BR", "IN", "AU", "ZA", "SE", "PL"]
written = [[] for _ in range(4)]


def write(mine):
    for _ in range(4):
        for region in REGIONS:
            number = phonenumbers.example_number(region)
            text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
            again = phonenumbers.parse(text)
            mine.append((text, phonenumbers.is_valid_number(again), phonenumbers.region_code_for_number(again)))


threads = [threading.Thread(target=write, args=(mine,)) for mine in written]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = sum(mine != written[0] for mine in written)
invalid = sum(not valid for mine in written for _, valid, _ in mine)
print(f"RESULT no answer is wrong: {wrong} threads got other answers, {invalid} numbers were not valid")
