"""Two tasks on the same host take its connection at once: both open one, or the second fails.

requires: nornir==3.6.0
include: nornir
expect: stale check
at: nornir/core/inventory.py:Host.get_connection, nornir/core/inventory.py:Host.open_connection
"""

import threading
import time

from nornir.core.configuration import Config
from nornir.core.exceptions import ConnectionAlreadyOpen
from nornir.core.inventory import Host
from nornir.core.plugins.connections import ConnectionPluginRegister

opened = []


class Shell:
    def open(self, hostname, username, password, port, platform, extras=None, configuration=None):
        time.sleep(0.001)
        self.connection = self
        opened.append(hostname)

    def close(self):
        pass


ConnectionPluginRegister.register("shell", Shell)
hosts = [Host(name=f"switch{number}", hostname=f"10.0.0.{number}") for number in range(15)]
config = Config()
failures = []


def backup():
    for host in hosts:
        try:
            host.get_connection("shell", config)
        except ConnectionAlreadyOpen as error:
            failures.append(error)


threads = [threading.Thread(target=backup) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {len(opened) - len(hosts)} connections too many were opened to {len(hosts)} hosts, "
    f"{len(failures)} were refused"
)
