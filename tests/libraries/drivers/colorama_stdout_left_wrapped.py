"""Threads colour what they print, each for a while: who ends puts back what it found, and the output stays wrapped.

requires: colorama==0.4.6
include: colorama
expect: lost update, overwritten before read, unrepeatable read, stale check
at: colorama/initialise.py:init, colorama/initialise.py:deinit, colorama/initialise.py:colorama_text
"""

import sys
import threading
import time

from colorama import Fore, colorama_text

real = sys.stdout
ready = threading.Barrier(4)


def report(place):
    ready.wait()
    for number in range(3):
        with colorama_text(strip=True):
            print(Fore.GREEN + f"{place} step {number}" + Fore.RESET)
            time.sleep(0.001 * (place + 1))


threads = [threading.Thread(target=report, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
left = sys.stdout is not real
sys.stdout = real
print(f"RESULT the output is {'left wrapped' if left else 'as it was'}")
