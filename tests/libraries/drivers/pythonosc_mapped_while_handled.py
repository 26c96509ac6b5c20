"""A thread maps addresses while the server looks for the handlers of a message: the message fails.

requires: python-osc==1.10.2
include: pythonosc.dispatcher
expect: changed while iterated, unguarded iteration, failed access
at: pythonosc/dispatcher.py
"""

# handlers_for_address() walks the dictionary of addresses, in the thread of the server, and yields from within; map()
# of a new address changes its size.

import threading
import time

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_message_builder import OscMessageBuilder

dispatcher = Dispatcher()
heard = []
failures = []
for channel in range(50):
    dispatcher.map(f"/mixer/channel/{channel}", lambda address, *values: heard.append(address))
message = OscMessageBuilder("/mixer/channel/*")
message.add_arg(0.5)
packet = message.build().dgram
finished = threading.Event()


def serve():
    while not finished.is_set():
        try:
            dispatcher.call_handlers_for_packet(packet, ("127.0.0.1", 9000))
        except RuntimeError as error:
            failures.append(error)


def load(place):
    for number in range(1000):
        dispatcher.map(f"/plugin/{place}/{number}", lambda address, *values: None)
        if number % 10 == 0:
            time.sleep(0.0005)


server = threading.Thread(target=serve, daemon=True)
loaders = [threading.Thread(target=load, args=(place,)) for place in range(2)]
for thread in [server, *loaders]:
    thread.start()
for thread in loaders:
    thread.join()
finished.set()
server.join(5)
print(f"RESULT {len(failures)} messages failed, {len(heard)} calls of handlers")
