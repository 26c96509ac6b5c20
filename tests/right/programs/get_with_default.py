"""Readers use dict.get with a default while one writer adds keys and deletes them. Each read is one step."""

import threading

settings = {"depth": 3}
ready = threading.Barrier(3)
values = []


def writer():
    ready.wait()
    for number in range(100):
        settings["color"] = f"c{number}"
        settings.pop("color", None)


def reader():
    ready.wait()
    for _ in range(120):
        color = settings.get("color", "none")
        values.append(color == "none" or color.startswith("c"))
        values.append(settings.get("depth", 0) == 3)


threads = [threading.Thread(target=each) for each in (writer, reader, reader)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(values) and "color" not in settings
