"""Threads load the same plugin: each waits for its lock, and does not look again when it has it.

requires: plux==1.16.0
include: plux
expect: stale check
at: plux/runtime/manager.py:PluginManager.load, plux/runtime/manager.py:PluginManager._load_plugin
"""

import threading
import time

from plux import Plugin, PluginFinder, PluginManager, PluginSpec

loaded = []


class Backend(Plugin):
    namespace = "backends"

    def load(self):
        time.sleep(0.001)
        loaded.append(self)


class Finder(PluginFinder):
    def find_plugins(self):
        return [PluginSpec("backends", f"backend{number}", Backend) for number in range(15)]


manager = PluginManager("backends", finder=Finder())


def serve():
    for number in range(15):
        manager.load(f"backend{number}")


threads = [threading.Thread(target=serve) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(loaded) - 15} times a plugin was loaded that was loaded already")
