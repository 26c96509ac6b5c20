"""Threads decrypt with the same key: one squares the blinding factor as another is between blinding and unblinding.

requires: rsa==4.7
include: rsa
expect: lost update, unguarded update, read skew, overwritten before read, unguarded own write, intermediate read
at: rsa/key.py
"""

import threading

import rsa

public, private = rsa.newkeys(384)
letters = [f"letter {number}".encode() for number in range(20)]
sealed = [rsa.encrypt(letter, public) for letter in letters]
rsa.decrypt(sealed[0], private)  # the first makes the factor
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
