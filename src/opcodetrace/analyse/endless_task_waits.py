"""Waits of tasks that nobody alive can end.

An event loop that has nothing to do waits for what comes from outside: a timer, a socket, another thread. If there is
no timer and no socket, and every thread has ended or waits itself, then no task will ever go on. That is so if the loop
waits without a timeout for one file alone: its own pipe (`Act.IDLE`). What tasks wait for is told as of threads
(`endless_waits`).

Which tasks a `gather` or a group of tasks waits for is not recorded, so not who depends on whom. The first task of the
main thread's loop is the program. If it waits by one of asyncio's locks or queues, or for a future, that must be meant
to end. Else it awaits other tasks, as far as is known, and all of these must be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from opcodetrace.analyse.endless_waits import Endless, EndlessWaits
from opcodetrace.analyse.lock_order import MAX_CIRCLE, Moment, Waiting, blocked, within
from opcodetrace.trace.run import Trace
from opcodetrace.trace.sync import Act, Primitive, Synchronisation

# What a program awaits in order to stay; futures, if it gives none a result.
_STAYS = re.compile(rb"\b(?:serve_forever|sleep_forever|start_server|create_server)")
_STAYS_OR_MAKES_FUTURES = re.compile(_STAYS.pattern + rb"|\b(?:Future\(|create_future)")


class EndlessTaskWaits:
    """Those of a run."""

    def __init__(self, trace: Trace, endless: EndlessWaits) -> None:
        self._trace = trace
        self._endless = endless
        self._of_threads = {each.id for each in trace.sync_objects if each.type_name == Primitive.LOCK}
        self._types: dict[int | None, str] = {each.id: each.type_name for each in trace.sync_objects}

    def at(self, moment: Moment, waits: Mapping[int, Waiting]) -> list[Endless]:
        """Those for something to be given, that of the first task before all others. None if it is not sure."""
        pending = self._pending(moment)
        if not pending or not self._stands_still(moment):
            return []
        stand = dict(self._stand(moment, pending))
        first = self._trace.first_task(moment.until)
        if first is None or first not in pending:
            return []
        found = {
            task: wait
            for task, wait in stand.items()
            if task not in waits
            and self._endless.is_meant_to_end(wait, self._endless.given(moment.synchronisation, wait))
        }
        if any(self._endless.goes_on(wait) for wait in stand.values()):
            return []
        if any(self._endless.is_given_after(moment, wait) for wait in found.values()):
            return []
        if first in stand:
            if first not in waits and first not in found:
                return []
        elif len(found) < sum(task not in waits for task in stand):
            return []
        elif not pending <= stand.keys() and self._stays():
            return []  # it may be one of those of which it is not known what they await
        told = sorted(found, key=lambda task: (task != first, task))
        if not told:
            return list(self._held(moment, waits, pending - stand.keys()))[:MAX_CIRCLE]
        return [
            Endless(found[task], self._endless.given(moment.synchronisation, found[task]), ends_by_giving=True)
            for task in told[:MAX_CIRCLE]
        ]

    def _held(self, moment: Moment, waits: Mapping[int, Waiting], unknown: set[int]) -> Iterator[Endless]:
        """Those for a lock that a task holds of which it is not known what it awaits: it cannot go on either, whatever
        that is."""
        begun = {each.seq: each for each in moment.synchronisation if each.begins}
        for _, wait in sorted(waits.items()):
            if wait.lock is not None and wait.other in unknown and wait.site is not None:
                yield Endless(begun[wait.seq], None, ends_by_giving=False)

    def _pending(self, moment: Moment) -> set[int]:
        """Tasks that had begun, and not ended."""
        until = moment.until
        return {
            each.thread
            for each in self._trace.threads
            if each.task_of is not None and each.first_seq < until and (not each.ended or each.last_seq >= until)
        }

    def _stands_still(self, moment: Moment) -> bool:
        trace = self._trace
        if trace.let_go or trace.merged or trace.missed or trace.holes or trace.truncated is not None:
            return False
        idle = trace.callbacks.idle
        if 0 not in idle or not trace.callbacks.followed >= set(idle):
            return False
        threads = [each for each in moment.threads if each.task_of is None]
        if not self._endless.knows_all_threads(moment) or self._endless.is_ready_for_signals():
            return False
        last = blocked(moment.synchronisation, threads, trace.bounded)
        return all(
            each.thread in idle
            or (each.ended and each.last_seq < moment.until)
            or (each.thread in last and self._endless.keeps_waiting(moment.synchronisation, last[each.thread]))
            for each in threads
        )

    def _stand(self, moment: Moment, pending: set[int]) -> Iterator[tuple[int, Synchronisation]]:
        """What tasks wait for, if they wait by one of asyncio's locks or queues."""
        rows = {each.seq: each for each in moment.synchronisation if each.begins}
        latest = {
            each.thread: each
            for each in moment.synchronisation
            if each.object not in self._of_threads and each.operation != Act.LOOK
        }
        for task in sorted(pending & latest.keys()):
            around = [each for each in within(latest[task], rows) if each.begins]
            # a condition's wait has released the lock by then
            if not around or around[0].seq <= self._trace.callbacks.stepped.get(task, around[0].seq):
                continue
            if around[0].operation != Act.RESULT or self._is_future(around[0]):
                yield task, around[-1]

    def _is_future(self, wait: Synchronisation) -> bool:
        """Whether a task awaits a plain future, and not what a function of asyncio's gives for others."""
        return self._types.get(wait.object) == Primitive.TASK_FUTURE and not self._endless.is_of_call(wait)

    def _stays(self) -> bool:
        stays = _STAYS if self._endless.resolves_futures() else _STAYS_OR_MAKES_FUTURES
        return any(stays.search(source) for source in self._endless.sources())
