"""A thread removes its listener while another one notifies: the listener that follows in the list is skipped.

requires: optimizely-sdk==5.7.0
include: optimizely.notification_center
expect: changed while iterated, unguarded iteration
at: optimizely/notification_center.py
"""

# send_notifications() walks the list of listeners itself, and remove_notification_listener() takes one out of it: what
# comes after moves up, and the walk passes over it without any error.

import threading
import time

from optimizely.helpers.enums import NotificationTypes
from optimizely.notification_center import NotificationCenter

ROUNDS = 150
center = NotificationCenter()
deaf = []


def plugin():
    called = []

    def heard(sender):
        time.sleep(0.0003)  # writes it down
        if sender is called:
            called.append(True)

    for number in range(ROUNDS):
        listener_id = center.add_notification_listener(NotificationTypes.DECISION, heard)
        center.send_notifications(NotificationTypes.DECISION, called)
        if not called:
            deaf.append(number)
        called.clear()
        center.remove_notification_listener(listener_id)


threads = [threading.Thread(target=plugin) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(deaf)} of {3 * ROUNDS} notifications did not reach the listener of their own thread")
