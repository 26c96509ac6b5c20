"""Several threads call the same mock: calls are not counted.

requires: mock==5.2.0
include: mock
expect: lost update, unguarded update
at: mock/mock.py
"""

import threading

from mock import Mock  # noqa: UP026

CALLS = 700
send = Mock(return_value="sent")
failures = []


def work():
    for number in range(CALLS):
        try:
            send(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {send.call_count} of {4 * CALLS} counted, {len(send.call_args_list)} listed, {len(failures)} failed")
