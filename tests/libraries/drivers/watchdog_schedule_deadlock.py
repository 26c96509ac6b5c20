"""An observer keeps its lock as it calls handlers: one waits for the program's lock, whose holder adds a watch.

requires: watchdog==3.0.0
include: watchdog
expect: deadlock
at: watchdog/observers/api.py
"""

import pathlib
import tempfile
import threading

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

FOLDERS = 60
lock = threading.Lock()
seen = []
watches = {}


class Handler(FileSystemEventHandler):
    def on_created(self, event):
        with lock:
            seen.append(pathlib.Path(event.src_path).name)


root = pathlib.Path(tempfile.mkdtemp())
inbox = root / "inbox"
inbox.mkdir()
handler = Handler()
observer = Observer()
observer.daemon = True
observer.schedule(handler, str(inbox))
observer.start()


def watch():
    for number in range(FOLDERS):
        folder = root / f"folder{number}"
        folder.mkdir()
        with lock:
            watches[number] = observer.schedule(handler, str(folder))


def deliver():
    for number in range(FOLDERS * 5):
        (inbox / f"letter{number}").touch()


threads = [threading.Thread(target=work, daemon=True) for work in (watch, deliver)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(3)
standing = sum(thread.is_alive() for thread in threads)
print(
    f"RESULT {standing} threads stand still, {len(watches)} of {FOLDERS} folders are watched, {len(seen)} letters seen"
)
