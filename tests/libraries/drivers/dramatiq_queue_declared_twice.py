"""Threads declare the same queue and send to it: messages go to the queue that is then replaced.

requires: dramatiq==2.2.1
include: dramatiq.brokers.stub
expect: stale check, unguarded check
at: dramatiq/brokers/stub.py:StubBroker.declare_queue
"""

# declare_queue() looks whether the queue is there, tells its middleware, and puts a new one in. A thread that looked
# before replaces the queue of the other, and with it the messages that are in it by then.

import threading

import dramatiq
from dramatiq.brokers.stub import StubBroker

ROUNDS = 250
broker = StubBroker()
dramatiq.set_broker(broker)
start = threading.Barrier(3, timeout=20)
failures = []


def work(place):
    for number in range(ROUNDS):
        start.wait()
        try:
            broker.declare_queue(f"queue{number}")
            broker.enqueue(dramatiq.Message(f"queue{number}", "greet", (place,), {}, {}))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
there = sum(broker.queues[f"queue{number}"].qsize() for number in range(ROUNDS))
print(f"RESULT {there} of {3 * ROUNDS} messages are there, {len(failures)} failed")
