"""The call structure of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """An activation of a function in woven code that accessed something or called what did, from its beginning at `seq`
    on. (With `record --calls` it begins when the function does, else before its first record.)"""

    seq: int
    thread: int
    site: int  # the function's beginning
    frame: int | None  # that of its events: those after `seq`, up to the next call of this frame
    caller_seq: int | None  # the beginning of the newest activation of woven code below it; None if there is none
    call_site: int | None  # where that one stood, if it was a call
    place: int | None = None  # the same as a byte offset in the caller's original code
    stored: bool = True  # asked for by `record --calls`, and needed for accesses that are stored
