"""Two codecs work in two threads, and each encodes with the tables that the other put into the module.

requires: reedsolo==1.7.0
include: reedsolo
expect: unrepeatable read, overwritten before read, failed access
at: reedsolo.py
"""

import threading

from reedsolo import RSCodec

ROUNDS = 300
codecs = {"disk": RSCodec(10), "radio": RSCodec(10, fcr=120, prim=0x187)}
message = bytes(range(200))
right = {name: bytes(codec.encode(message)) for name, codec in codecs.items()}
wrong = []
failed = []


def encode(name):
    codec = codecs[name]
    for _ in range(ROUNDS):
        try:
            if bytes(codec.encode(message)) != right[name]:
                wrong.append(name)
        except (IndexError, ValueError) as error:
            failed.append(error)


threads = [threading.Thread(target=encode, args=(name,)) for name in codecs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {2 * ROUNDS} messages were encoded wrong, {len(failed)} failed")
