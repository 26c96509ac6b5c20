"""Where does CPython take the GIL from a thread? Asks the interpreter itself.

One thread runs `work`, untraced; the main thread wakes as often as it can and notes at which instruction the other one
stands suspended. Only the newest frame counts, and only if it runs code of this file. Prints JSON: how often each
instruction was seen.

    python suspensions.py [SAMPLES]
"""

from __future__ import annotations

import collections
import dis
import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from operator import attrgetter, itemgetter
from types import CodeType


class Account:
    rate = 1

    def __init__(self) -> None:
        self.balance = 0


account, table, cells, hits = Account(), dict[str, int](), [0], 0
lock, stop = threading.Lock(), list[bool]()


def identity(value: int, *, factor: int = 1) -> int:
    return value * factor


def numbers() -> Iterator[int]:
    yield 1
    yield from (2, 3)


def work() -> None:
    global hits
    arguments, keywords, total = (1,), {"factor": 2}, 0

    def increment() -> None:
        nonlocal total
        total += account.rate

    while not stop:
        cells[0] += 1
        account.balance += 1
        hits += 1
        table["k"] = hits
        table["k"] += cells[0] * 2 - account.balance
        first, *rest = [*cells[0:1], hits % 7]
        if first in rest or first is None or not first < 5:
            del table["k"]
        len(cells)
        identity(first)
        identity(first, factor=2)
        identity(*arguments, **keywords)
        max(*cells, *arguments)
        sorted(cells, reverse=True)
        increment()
        with lock:
            hits ^= 1
        for i in (1, 2):
            hits += i
        for i in numbers():
            hits -= i
        total = sum([x + 1 for x in (1, 2)]) + max({x: -x for x in cells})
        text = f"{first}{hits!r:>3}."
        try:
            table[text]
        except KeyError:
            total = -1
        while total < 3:
            total += 1
        {**keywords, "a": [*cells, str(text), Account().balance]}


def opcodes(code: CodeType) -> dict[int, str]:
    """The instruction to which each offset belongs, its caches included."""
    names: dict[int, str] = {}
    previous, name = 0, ""
    for instruction in dis.get_instructions(code):
        names.update((offset, name) for offset in range(previous, instruction.offset, 2))
        if name == "COMPARE_OP" and instruction.opname.startswith("POP_JUMP_BACKWARD"):
            # 3.11 runs the two as one (COMPARE_OP_INT_JUMP): it looks for the switch after the jump, but still stands
            # at the comparison.
            names[previous] = instruction.opname
        previous, name = instruction.offset, instruction.opname
    names.update((offset, name) for offset in range(previous, len(code.co_code), 2))
    return names


def observe(samples: int) -> dict[str, int]:
    sys.setswitchinterval(1e-6)
    worker = threading.Thread(target=work)
    worker.start()
    assert worker.ident is not None
    seen: collections.Counter[tuple[CodeType, int]] = collections.Counter()
    # One C call from the frames to the offset: at a Python call in between, the other thread could run on.
    frames = map(itemgetter(worker.ident), iter(sys._current_frames, None))
    for code, offset in itertools.islice(map(attrgetter("f_code", "f_lasti"), frames), samples):
        if code.co_filename == __file__:
            seen[code, offset] += 1
        time.sleep(0)
    stop.append(True)
    worker.join()
    names = {code: opcodes(code) for code, _ in seen}
    found: collections.Counter[str] = collections.Counter()
    for (code, offset), count in seen.items():
        found[names[code][offset]] += count
    return dict(found.most_common())


if __name__ == "__main__":
    print(json.dumps(observe(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)))
