"""Threads open the same configuration for new keys: one closes it while another writes, or it stays open.

requires: omegaconf==2.4.0
include: omegaconf
expect: overwritten before read, lost update, failed access, stale check, unrepeatable read
at: omegaconf/omegaconf.py:open_dict, omegaconf/base.py:Node._set_flag
"""

import threading
import time

from omegaconf import OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError

config = OmegaConf.create({"plugins": {}})
OmegaConf.set_struct(config, True)
failures = []


def load(place):
    for number in range(5):
        try:
            with open_dict(config):
                time.sleep(0.001)
                config[f"plugin_{place}_{number}"] = {"enabled": True}
        except (ConfigAttributeError, KeyError) as error:
            failures.append(error)


threads = [threading.Thread(target=load, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {len(failures)} of 15 keys were refused, the configuration is "
    f"{'closed' if OmegaConf.is_struct(config) else 'left open'}"
)
