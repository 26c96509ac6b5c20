"""Threads log within the same action: messages get the same place in the task.

requires: eliot==1.18.0
include: eliot
expect: lost update, unguarded update, overwritten before read
at: eliot/_action.py:Action._nextTaskLevel
"""

import threading

import eliot

MESSAGES = 500
messages = []
eliot.add_destinations(messages.append)
failures = []
action = eliot.start_action(action_type="import")


def load(file):
    with action.context():
        for row in range(MESSAGES):
            try:
                eliot.log_message("row", file=file, row=row)
            except Exception as error:
                failures.append(error)


threads = [threading.Thread(target=load, args=(file,)) for file in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
action.finish()
levels = {tuple(message["task_level"]) for message in messages}
print(f"RESULT {len(messages)} messages have {len(levels)} places, {len(failures)} failed")
