"""An expired token is renewed: checked without the lock, and again under it. Token and time are one tuple."""

import threading


class Credentials:
    def __init__(self):
        self.lock = threading.Lock()
        self.current = (None, -1)
        self.renewals = 0

    def get(self, now):
        token, expires = self.current
        if now < expires:
            return token
        with self.lock:
            token, expires = self.current
            if now >= expires:
                self.renewals += 1
                token = f"token{self.renewals}"
                self.current = (token, now + 10)
            return token


credentials = Credentials()
tokens = []
turn = threading.Barrier(4)


def work():
    for now in range(0, 100, 5):
        turn.wait()
        tokens.append((now // 10, credentials.get(now)))
        turn.wait()


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert credentials.renewals == 10 and set(tokens) == {(each, f"token{each + 1}") for each in range(10)}
