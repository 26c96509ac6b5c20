"""A topic is made by the first subscription: two threads make one each, and a listener is on the one that is gone.

requires: Pypubsub==4.0.7
include: pubsub
expect: stale check, unguarded check, failed access
at: pubsub/core/topicmgr.py, pubsub/core/topicobj.py
"""

import threading

from pubsub import pub

ROUNDS = 500
failures = []
heard = []


class Listener:
    def hear(self, value=None):
        heard.append(value)


listeners = [Listener() for _ in range(4)]


def subscribe(listener):
    for number in range(ROUNDS):
        try:
            pub.subscribe(listener.hear, f"topic{number}")
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=subscribe, args=(listener,)) for listener in listeners]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for number in range(ROUNDS):
    pub.sendMessage(f"topic{number}", value=number)
print(f"RESULT {len(heard)} of {4 * ROUNDS} messages were heard, {len(failures)} subscriptions failed")
