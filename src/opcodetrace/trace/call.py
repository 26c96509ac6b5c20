"""The call structure of a run (`record --calls`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """An activation of a function in woven code, from its beginning at `seq` on."""

    seq: int
    thread: int
    site: int  # the function's beginning
    frame: int | None  # that of its events: those after `seq`, up to the next call of this frame
    caller_seq: int | None  # the beginning of the newest activation of woven code below it; None if there is none
    call_site: int | None  # where that one stood
