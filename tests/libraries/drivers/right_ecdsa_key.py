"""Threads sign and verify with one key, whose points are only ever changed to what they were by one assignment.

requires: ecdsa==0.19.2, six==1.17.0
include: ecdsa
expect: nothing
"""

import threading

from ecdsa import NIST192p, SigningKey

key = SigningKey.generate(curve=NIST192p)
public = key.verifying_key
ready = threading.Barrier(4)
right = []


def sign(place):
    ready.wait()
    for number in range(3):
        message = b"message %d of %d" % (number, place)
        right.append(public.verify(key.sign(message), message))


threads = [threading.Thread(target=sign, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT nothing wrong: {sum(right)} signatures of 12 are right")
