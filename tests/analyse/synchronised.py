"""Synchronisation written by hand: what threads did, one operation a call, as ingest tells of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from opcodetrace.analyse.happens_before import Operations, Order, orders
from opcodetrace.analyse.lockset import Judge
from opcodetrace.trace.protection import Update, Verdict
from opcodetrace.trace.run import Thread
from opcodetrace.trace.sync import Synchronisation, SyncObject

LOCK, RLOCK = "_thread.lock", "_thread.RLock"


class Waits:
    """What threads do to wait for each other; each call is what one thread does next."""

    rows: list[Synchronisation]
    objects: dict[int, SyncObject]
    seq: int

    def thing(self, type_name: str, label: str | None = None) -> int:
        number = len(self.objects) + 1
        self.objects[number] = SyncObject(number, type_name, label or f"{type_name.rpartition('.')[2].lower()}{number}")
        return number

    def does(
        self,
        thread: int,
        operation: str,
        thing: int | None,
        *,
        begins: bool = False,
        failed: bool = False,
        inside: int | None = None,
        woken_by: int | None = None,
        started: int | None = None,
        since: int | None = None,
        waited: float | None = None,
        holder: int | None = None,
        site: int | None = 7,
    ) -> int:
        """Gives the record's seq."""
        self.seq += 1
        earliest = self.seq if since is None else since
        self.rows.append(
            Synchronisation(
                *(self.seq, earliest, thread, site, thing, operation, begins, failed),
                *(waited, holder, woken_by, inside, started),
            )
        )
        return self.seq

    def whole(
        self, thread: int, operation: str, thing: int, inner: int, *parts: tuple[str, int], site: int | None = 7
    ) -> None:
        """An operation of library code that takes the lock inside of it, does its parts, and releases that."""
        begun = self.does(thread, operation, thing, begins=True, site=site)
        for part, of in (("acquire", inner), *parts, ("release", inner)):
            self.does(thread, part, of, inside=begun, site=site)
        self.does(thread, operation, thing, since=begun + 1, site=site)


@dataclass
class Programme(Waits):
    """Beside that, updates of one location."""

    rows: list[Synchronisation] = field(default_factory=list)
    objects: dict[int, SyncObject] = field(default_factory=dict)
    updates: list[Update] = field(default_factory=list)
    tasks: dict[int, int] = field(default_factory=dict)
    seq: int = 0
    _reads: dict[int, int] = field(default_factory=dict)

    def read(self, thread: int) -> None:
        self.seq += 1
        self._reads[thread] = self.seq

    def write(self, thread: int, *, certain: bool = True) -> Update:
        """What was read last flows into it; blind if nothing was."""
        self.seq += 1
        self.updates.append(Update(1, thread, self._reads.pop(thread, self.seq), self.seq, certain))
        return self.updates[-1]

    def update(self, thread: int) -> Update:
        self.read(thread)
        return self.write(thread)

    def threads(self) -> list[Thread]:
        done: dict[int, list[int]] = {}
        for seq, thread in [(row.seq, row.thread) for row in self.rows] + [
            (seq, update.thread) for update in self.updates for seq in (update.began, update.seq)
        ]:
            done.setdefault(thread, []).append(seq)
        return [
            Thread(thread, f"Thread-{thread}", thread, thread, None, min(seqs), max(seqs), True, self.tasks.get(thread))
            for thread, seqs in sorted(done.items())
        ]

    def orders(self, *, begun: bool = True, free_threaded: bool = False, no_timeouts: bool = True) -> list[Order]:
        return orders(
            self.rows,
            Operations(self.rows),
            self.objects,
            self.threads(),
            begun=begun,
            free_threaded=free_threaded,
            waits_to_the_end=lambda join: no_timeouts,
        )

    def judge(self, *, begun: bool = True, no_timeouts: bool = True) -> Judge:
        found = self.orders(begun=begun, no_timeouts=no_timeouts)
        return Judge(self.rows, self.objects, Operations(self.rows), found, self.threads())

    def verdict(self, *, begun: bool = True, no_timeouts: bool = True) -> Verdict:
        verdict = self.judge(begun=begun, no_timeouts=no_timeouts).verdict(self.updates)
        assert verdict is not None
        return verdict
