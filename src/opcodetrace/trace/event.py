"""Events: the accesses that a run made, and the values they saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple


class EventKind(IntEnum):
    """Of an event; the numbers are stored."""

    READ = 1
    WRITE = 2
    DELETE = 3
    COMPUTE = 4
    ENTER = 5
    DEFINE = 6
    ELSEWHERE = 7  # this activation's newest access at this site was to a location that is not kept; not stored


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that no record holds as it is: its type is known, and which object it is, by a number that no other has
    (None: unknown)."""

    type_name: str = field(compare=False)  # an object may be given another class
    identity: int | None
    # What could be told of it, as `Color.RED` or `'aaaaaaaaaa…' of 130 characters`; None: nothing.
    text: str | None = field(default=None, compare=False)
    changes: bool = field(default=False, compare=False)  # the text is what it was once: a list may change

    def __str__(self) -> str:
        """Also how it lies in the database."""
        name = self.type_name if self.identity is None else f"{self.type_name} #{self.identity}"
        if self.text is None:
            return f"<{name}>"
        return f"<{name}> once {self.text}" if self.changes else f"<{name}> = {self.text}"


class Absent:
    """There is no value: a deletion's, or one that the probe could not see."""

    _only: Absent | None = None

    def __new__(cls) -> Absent:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Raised:
    """An access failed: it found nothing there, and raised an exception of this type."""

    type_name: str

    def __str__(self) -> str:
        return self.type_name


Value = int | float | bool | str | bytes | Opaque | Absent | Raised | None


def is_unknown(value: Value) -> bool:
    """Whether it says nothing of what the location held: nothing was recorded, or the access failed."""
    return value is ABSENT or isinstance(value, Raised)


class Event(NamedTuple):
    """One access, or a marker that the analysis needs (ENTER, DEFINE, ELSEWHERE).

    It happened at `seq` if `earliest == seq`, else somewhere in [earliest, seq].
    """

    seq: int
    earliest: int
    thread: int
    site: int
    kind: int  # a EventKind
    location: int  # -1 for COMPUTE, ENTER, DEFINE and ELSEWHERE
    value: Value
    frame: int
