"""Each thread has a session of its own; what they have in common is not changed.

requires: requests==2.34.2
include: requests.cookies, http.cookiejar
expect: nothing
"""

import threading

import requests

sizes = []


def work(place):
    session = requests.Session()
    for number in range(200):
        session.cookies.set(f"cookie {number}", "value", domain=f"{place}.example.org")
    sizes.append(len(session.cookies.get_dict()))


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(sizes)} cookies")
