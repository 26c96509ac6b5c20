"""A session's cookies are listed while another thread gets new ones: the jar goes over copies.

requires: requests==2.34.2
include: requests.cookies, http.cookiejar
expect: nothing
"""

import threading

import requests

session = requests.Session()
failures = []
lists = []
done = threading.Event()


def answer(place):
    for number in range(600):
        session.cookies.set(f"cookie {number}", "value", domain=f"{place}-{number % 150}.example.org")


def show():
    while not done.is_set():
        try:
            lists.append(len(session.cookies.get_dict()))
        except RuntimeError as error:
            failures.append(error)


reader = threading.Thread(target=show)
reader.start()
threads = [threading.Thread(target=answer, args=(place,)) for place in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
done.set()
reader.join()
print(f"RESULT {len(failures)} of {len(lists) + len(failures)} lists failed")
