"""Objects of synchronisation in words."""

from __future__ import annotations

import re
from collections.abc import Callable

from opcodetrace.report.words.text import call_text, identity
from opcodetrace.trace.printable import printable
from opcodetrace.trace.sync import LOCKS, Act, SyncObject

MAX_EXPRESSION = 40  # characters of the call that a thread was suspended in
MAX_LOCKS = 3  # that are named
IN_LIBRARY = re.compile(r"<(\w+)> in (.+)", re.DOTALL)  # the label of an object that library code made
ENTERED = re.compile(r"with ([^:(),]+?)(?: as \w+)?:")  # that is the expression of such a call on Python 3.11


def lock_words(lock: SyncObject, code: Callable[[str], str] = identity) -> str:
    """A lock as the source writes it; one that another object has inside of it by that one."""
    inner = IN_LIBRARY.fullmatch(lock.label)
    if inner is None:
        return code(printable(lock.label))
    entered = ENTERED.match(inner[2])
    if entered is not None:
        return f"the lock of {code(printable(entered[1]))}"
    where = code(call_text(inner[2], MAX_EXPRESSION))
    return f"a lock inside {where}" if "(" in inner[2] else f"the lock of {where}"


def held_words(lock: SyncObject, code: Callable[[str], str] = identity) -> str:
    """A lock with what it is: the RLock guard."""
    words = lock_words(lock, code)
    what = operation_name({"_thread.lock": "Lock"}.get(lock.type_name, lock.type_name.rpartition(".")[2]), code)
    return words if IN_LIBRARY.fullmatch(lock.label) else f"the {what} {words}"


def operation_name(name: str, code: Callable[[str], str] = identity) -> str:
    """The name of an operation or a type: a word, or else as what it is, something that a program wrote."""
    return name if name.isascii() and name.isidentifier() else code(printable(name))


def operation_words(operation: str, called: SyncObject, code: Callable[[str], str] = identity) -> str:
    """An operation of an object as the source writes it: done.set; of a lock, acquire lock. To look how one is has many
    names (`empty`, `qsize`, `is_set`): look at the Queue jobs."""
    if operation == Act.LOOK:
        return f"look at {lock_words(called, code)}"
    if IN_LIBRARY.fullmatch(called.label) or called.type_name in LOCKS or " " in called.label:
        return f"{operation_name(operation, code)} {lock_words(called, code)}"
    return code(f"{printable(called.label)}.{printable(operation)}")
