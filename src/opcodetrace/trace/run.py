"""A run as a whole: what ingest makes of a spool, and what the analysis and the store are given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from opcodetrace.trace.call import Call
from opcodetrace.trace.callbacks import Callbacks
from opcodetrace.trace.location import Location
from opcodetrace.trace.site import Code, Site, SourceFile
from opcodetrace.trace.switch import Switch
from opcodetrace.trace.sync import Synchronisation, SyncObject

if TYPE_CHECKING:
    import numpy.typing as npt

    from opcodetrace.trace.events import Changes, Events, Resized


@dataclass(frozen=True, slots=True)
class Thread:
    thread: int  # 0 is the main thread; the others by first appearance
    name: str | None
    ident: int
    native_id: int
    started_by: int | None
    first_seq: int
    last_seq: int
    ended: bool
    task_of: int | None = None  # an asyncio task: the thread that runs it


class MergedLanes(StrEnum):
    """What took turns within a thread and is taken for one lane."""

    GREENLETS = "greenlets"
    COROUTINES = "coroutines"  # driven by other means than asyncio's own tasks


class Truncation(StrEnum):
    LIMIT = "event limit"
    WINDOW = "window full"
    DISK = "disk full"


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the program that was woven, or that a pattern means and that ran as it is."""

    name: str
    file: int | None  # None if it was not woven
    functions: int  # code objects woven: functions, class bodies, and the module itself
    unwoven: int  # those that ran as they are
    reason: str | None = None  # why the module was not woven


class AskedOfNone(NamedTuple):
    """A thread, or the program, ended by an exception: None has no attribute of that name."""

    seq: int  # after all that it did
    thread: int
    code: int  # the code's id, and the offset in it at which the attribute was asked for
    offset: int


class AskedFor(NamedTuple):
    """Accesses that the library made for who asked it, and where that was."""

    seqs: npt.NDArray[np.int64]
    sites: npt.NDArray[np.uint32]
    frames: npt.NDArray[np.uint32]


@dataclass(slots=True)
class Trace:
    """The events of a run that matter: accesses to locations that two lanes touched and one wrote, in seq order."""

    free_threaded: bool
    threads: list[Thread]
    files: list[SourceFile]
    codes: list[Code]
    sites: dict[int, Site]
    site_codes: dict[int, Code]
    locations: dict[int, Location]
    events: Events
    switches: list[Switch]
    records: int  # all records of the spool that count
    accesses: int  # all accesses that the probe recorded, stored or not
    stored: int  # accesses among `events`
    missed: int  # accesses that the probe saw but could not record
    holes: int  # records that were begun and not finished (a killed thread)
    truncated: Truncation | None
    truncated_seq: int | None
    births: bool  # whether identities are certain
    notes: list[str] = field(default_factory=list)
    sync_objects: list[SyncObject] = field(default_factory=list)
    synchronisation: list[Synchronisation] = field(default_factory=list)
    # seqs of synchronisation by C code that gives up by itself, at once or after a time; they are not stored
    bounded: frozenset[int] = frozenset()
    # seqs of starts of threads that are no daemons, if that is known (since 3.13); they are not stored
    joined_at_exit: frozenset[int] = frozenset()
    # location of an item: the seqs at which items of its container may have moved, in order
    restructured: dict[int, list[int]] = field(default_factory=dict)
    # by location: the number that its container has as a value (`Opaque.identity`), 0 if it was none; not stored
    containers: npt.NDArray[np.int64] | None = None
    # by location of a container as a whole, if an iteration over it failed because it had changed
    changes: dict[int, Changes] = field(default_factory=dict)
    resized: Resized | None = None  # where the sizes of containers changed; not stored
    callbacks: Callbacks = field(default_factory=Callbacks)  # of event loops; not stored
    # seqs of accesses that failed, with an exception that ended their thread or the program; they are not stored
    uncaught: frozenset[int] = frozenset()
    asked_of_none: list[AskedOfNone] = field(default_factory=list)  # by threads that ended by that; not stored
    asked_for: AskedFor | None = None  # not stored
    modules: list[Module] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)  # those that made events, and those that led to them (--calls)
    last: int | None = None  # how many records were to be kept (--last); None: all
    let_go: int = 0  # records that came before those and are gone: the seq of the first one kept
    children: int = 0  # processes that the script started; they are not recorded
    merged: tuple[MergedLanes, ...] = ()  # lanes that were not told apart
    interleaving: str | None = None  # the class of its interleaving, found by the analysis; None: not known exactly

    def show_where_asked(self) -> None:
        """From now on accesses that the library made are where the program asked for them. For what is shown: the
        analysis needs to know what they are."""
        if self.asked_for is not None:
            places = np.searchsorted(self.events.seq, self.asked_for.seqs)
            site, frame = self.events.site.copy(), self.events.frame.copy()
            site[places], frame[places] = self.asked_for.sites, self.asked_for.frames
            self.events, self.asked_for = replace(self.events, site=site, frame=frame), None

    def first_task(self, until: float) -> int | None:
        """The first task of the event loop that the main thread ran last before a seq: as a rule, the program."""
        since = max((seq for seq in self.callbacks.begins.get(0, ()) if seq < until), default=-1)
        return min((each.thread for each in self.threads if each.task_of == 0 and each.first_seq > since), default=None)
