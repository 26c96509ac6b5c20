"""A worker overwrites its progress; a monitor shows the latest value that it finds. Nobody builds on a value."""

import threading


class Download:
    def __init__(self, size):
        self.size = size
        self.done = 0
        self.message = "waiting"

    def run(self):
        for done in range(0, self.size + 1, 5):
            self.done = done
            self.message = f"{done} of {self.size}"
        self.message = "finished"


download = Download(900)
finished = threading.Event()
shown = []


def monitor():
    while not finished.wait(0.001):
        shown.append((download.done / download.size, download.message))


def run():
    download.run()
    finished.set()


threads = [threading.Thread(target=monitor), threading.Thread(target=run)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(0 <= share <= 1 for share, _ in shown)
assert [share for share, _ in shown] == sorted(share for share, _ in shown)
assert download.message == "finished"
