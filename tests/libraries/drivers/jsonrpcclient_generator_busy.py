"""Threads make requests with numbers from one generator of the module: who asks while it works fails.

requires: jsonrpcclient==4.0.3
include: jsonrpcclient
expect: failed access, overwritten before read, lost update
at: jsonrpcclient/id_generators.py:random, jsonrpcclient/requests.py:request_pure
"""

import threading

from jsonrpcclient import request_random

ROUNDS = 4000
ready = threading.Barrier(4)
failed, numbers = [], set()


def work(place):
    ready.wait()
    for number in range(ROUNDS):
        try:
            numbers.add(request_random("add", params=[place, number])["id"])
        except ValueError as error:
            failed.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failed)} requests of {4 * ROUNDS} failed, {len(numbers)} were made")
