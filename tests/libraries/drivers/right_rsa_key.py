"""Threads decrypt with the same key, which changes its blinding factor under a lock.

requires: rsa==4.9.1
include: rsa
expect: nothing
"""

import threading

import rsa

public, private = rsa.newkeys(384)
letters = [f"letter {number}".encode() for number in range(20)]
sealed = [rsa.encrypt(letter, public) for letter in letters]
wrong = []
failures = []


def read():
    for _ in range(4):
        for number, letter in enumerate(sealed):
            try:
                if rsa.decrypt(letter, private) != letters[number]:
                    wrong.append(number)
            except rsa.DecryptionError as error:
                failures.append(error)


threads = [threading.Thread(target=read) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 240 letters are wrong, {len(failures)} could not be read")
