"""Sessions are added, dropped and gone over under one lock. Expired ones are collected first, and deleted then."""

import threading


class Sessions:
    def __init__(self):
        self.lock = threading.Lock()
        self.last_used = {}

    def touch(self, name, now):
        with self.lock:
            self.last_used[name] = now

    def expire(self, before):
        with self.lock:
            expired = [name for name, used in self.last_used.items() if used < before]
            for name in expired:
                del self.last_used[name]
        return expired


sessions = Sessions()
gone = []
ready = threading.Barrier(4)


def user(number):
    ready.wait()
    for now in range(80):
        sessions.touch(f"{number}-{now}", now)


def reaper():
    ready.wait()
    for before in range(0, 80, 4):
        gone.extend(sessions.expire(before))


threads = [threading.Thread(target=user, args=(number,)) for number in range(3)] + [threading.Thread(target=reaper)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
gone.extend(sessions.expire(80))
assert not sessions.last_used and {*gone} == {f"{number}-{now}" for number in range(3) for now in range(80)}
