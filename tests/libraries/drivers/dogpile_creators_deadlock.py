"""Two cached values are each made with the other one: their creators wait for each other's locks.

requires: dogpile.cache==1.5.0
include: dogpile
expect: deadlock
at: dogpile/lock.py, dogpile/cache/region.py
"""

# get_or_create() holds the lock of its key while the creator runs. A page that is made with the menu, and the menu
# with the page, none of them in the cache, are asked for by two threads: each has the lock that the other waits for.

import threading

from dogpile.cache import make_region

ROUNDS = 300
region = make_region().configure("dogpile.cache.memory")
made = []
start = threading.Barrier(2, timeout=20)


def page(number):
    return region.get_or_create(f"page{number}", lambda: f"page: {region.get_or_create(f'menu{number}', list)}")


def contents(number):
    return region.get_or_create(f"menu{number}", lambda: [region.get_or_create(f"page{number}", str)])


def work(wanted):
    for number in range(ROUNDS):
        start.wait()
        made.append(wanted(number))


threads = [threading.Thread(target=work, args=(wanted,), daemon=True) for wanted in (page, contents)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1.5)
standing = sum(thread.is_alive() for thread in threads)
print(f"RESULT {standing} threads stand still, {len(made)} of {2 * ROUNDS} values were made")
