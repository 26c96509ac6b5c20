"""Two containers make what they hold under their locks, and each asks the other meanwhile.

requires: dishka==1.10.1
include: dishka
expect: deadlock
at: dishka/container.py:Container.get
"""

import threading
import time

from dishka import Provider, Scope, make_container


class Accounts:
    pass


class Mails:
    pass


class Billing:
    def __init__(self, mails):
        self.mails = mails


class Messages:
    def __init__(self, accounts):
        self.accounts = accounts


def accounts() -> Accounts:
    return Accounts()


def mails() -> Mails:
    return Mails()


def billing() -> Billing:
    time.sleep(0.005)
    return Billing(post.get(Mails))


def messages() -> Messages:
    time.sleep(0.005)
    return Messages(bank.get(Accounts))


bank_provider, post_provider = Provider(scope=Scope.APP), Provider(scope=Scope.APP)
bank_provider.provide(accounts)
bank_provider.provide(billing)
post_provider.provide(mails)
post_provider.provide(messages)
bank, post = make_container(bank_provider), make_container(post_provider)

threads = [
    threading.Thread(target=bank.get, args=(Billing,), daemon=True),
    threading.Thread(target=post.get, args=(Messages,), daemon=True),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still")
