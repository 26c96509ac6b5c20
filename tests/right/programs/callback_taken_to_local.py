"""A callback may be taken away at any time. It is read once into a local variable, tested and called from there."""

import threading


class Button:
    def __init__(self):
        self.on_click = None

    def click(self):
        callback = self.on_click
        if callback is not None:
            callback()


button = Button()
clicks = []
ready = threading.Barrier(3)


def user():
    ready.wait()
    for _ in range(120):
        button.click()


def owner():
    ready.wait()
    for number in range(60):
        button.on_click = lambda number=number: clicks.append(number)
        button.on_click = None


threads = [threading.Thread(target=each) for each in (user, owner, user)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(0 <= number < 60 for number in clicks) and button.on_click is None
