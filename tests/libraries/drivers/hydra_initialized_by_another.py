"""Threads read their configuration, each between a start and an end that are everybody's: they end one another's.

requires: hydra-core==1.3.8, omegaconf==2.3.1
include: hydra
expect: stale check, overwritten before read, failed access, lost update, unrepeatable read
at: hydra/core/global_hydra.py:GlobalHydra.initialize, hydra/core/singleton.py:Singleton.__call__
"""

import os
import tempfile
import threading

from hydra import compose, initialize_config_dir

folder = tempfile.mkdtemp()
for place in range(3):
    os.mkdir(f"{folder}/{place}")
    with open(f"{folder}/{place}/config.yaml", "w") as file:
        file.write(f"place: {place}\nname: service{place}\n")
ready = threading.Barrier(3)
wrong, failed = [], []


def configure(place):
    for _ in range(5):
        ready.wait()
        try:
            with initialize_config_dir(config_dir=f"{folder}/{place}", version_base="1.3"):
                if compose("config").place != place:
                    wrong.append(place)
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=configure, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failed)} configurations of 15 failed, {len(wrong)} are another's")
