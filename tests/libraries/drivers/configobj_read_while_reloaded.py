"""A thread reloads the configuration while others read it: they find the section gone, or without its keys.

requires: configobj==5.0.9
include: configobj
expect: failed access, stale check, unrepeatable read
at: configobj/__init__.py:ConfigObj.reload, configobj/__init__.py:Section.clear
"""

import os
import tempfile
import threading
import time

from configobj import ConfigObj

folder = tempfile.mkdtemp()
path = os.path.join(folder, "app.ini")
with open(path, "w") as file:
    for number in range(80):
        file.write(f"[service{number}]\nhost = host{number}\nport = {8000 + number}\nurl = http://%(host)s:%(port)s/\n")
config = ConfigObj(path)
over = threading.Event()
failed, read = [], []


def watch():
    for _ in range(40):
        time.sleep(0.002)  # the file has changed
        config.reload()
    over.set()


def serve():
    while not over.is_set():
        time.sleep(0.0003)  # a request comes
        try:
            read.append(config["service7"]["url"])
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=target) for target in (watch, serve, serve)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os.remove(path)
os.rmdir(folder)
kinds = ", ".join(sorted({type(error).__name__ for error in failed}))
print(f"RESULT {len(failed)} reads failed ({kinds}), {len(read)} did not")
