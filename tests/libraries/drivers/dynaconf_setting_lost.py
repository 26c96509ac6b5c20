"""Two threads load lazy settings at their first look: what one of them has set is thrown away with its settings.

requires: dynaconf==3.3.5
include: dynaconf
expect: stale check, unguarded check, overwritten before read, unguarded own write
at: dynaconf/base.py
"""

# The settings object is empty until the first look, which loads it and puts the loaded one there. A second thread that
# finds it empty loads once more, and replaces the one in which the first has set its value.

import threading

from dynaconf import Dynaconf

ROUNDS = 12
start = threading.Barrier(3)
all_settings = [Dynaconf(envvar_prefix="DRIVER", load_dotenv=False) for _ in range(ROUNDS)]
failures = []


def configure(mine):
    for settings in all_settings:
        start.wait()
        try:
            settings.set(f"worker_{mine}", mine)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=configure, args=(mine,)) for mine in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(settings.get(f"worker_{mine}") is None for settings in all_settings for mine in range(3))
print(f"RESULT {lost} of {3 * ROUNDS} settings are lost, {len(failures)} failed: {failures[:1]}")
