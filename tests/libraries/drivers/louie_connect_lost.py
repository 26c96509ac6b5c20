"""A dispatcher drops a sender as its last receiver is gone: who connects to it meanwhile is never called.

requires: louie==2.0.1
include: louie
expect: stale check, lost update, failed access
at: louie/dispatcher.py:connect, louie/dispatcher.py:_cleanup_connections, louie/dispatcher.py:_remove_sender
"""

import threading
import time

import louie


class Document:
    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return hash(self.number)

    def __eq__(self, other):
        time.sleep(0.0003)  # loads its row
        return isinstance(other, Document) and self.number == other.number


class Window:
    shown = False

    def show(self):
        self.shown = True


document = Document(1)
WINDOWS = 60
failed, lost = [], []
ready = threading.Barrier(3)


def use():
    ready.wait()
    for _ in range(WINDOWS):
        window = Window()
        try:
            louie.connect(window.show, signal="changed", sender=document)
            louie.send("changed", document)
            if not window.shown:
                lost.append(window)
            louie.disconnect(window.show, signal="changed", sender=document)
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=use) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(lost)} windows of {3 * WINDOWS} were never shown, {len(failed)} failed")
