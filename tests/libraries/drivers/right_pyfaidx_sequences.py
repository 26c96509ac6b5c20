"""Threads read sequences from one open FASTA file, whose place is moved under a lock.

requires: pyfaidx==0.9.2.2
include: pyfaidx
expect: nothing
"""

import os
import random
import tempfile
import threading

from pyfaidx import Fasta

ROUNDS = 300
random.seed(1)
letters = {f"chr{number}": "".join(random.choices("ACGT", k=3000)) for number in range(8)}
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "genes.fa")
with open(path, "w") as file:
    for name, text in letters.items():
        file.write(f">{name}\n")
        file.writelines(text[at : at + 60] + "\n" for at in range(0, len(text), 60))
genes = Fasta(path)
wrong = []


def read(seed):
    numbers = random.Random(seed)
    for _ in range(ROUNDS):
        name = f"chr{numbers.randrange(8)}"
        start = numbers.randrange(2500)
        if str(genes[name][start : start + 400]) != letters[name][start : start + 400]:
            wrong.append(name)


threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
genes.close()
folder.cleanup()
print(f"RESULT nothing wrong: {len(wrong)} of {4 * ROUNDS} sequences differ")
