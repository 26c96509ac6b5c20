"""The steps of an interleaving in words."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from opcodetrace.report.words.lanes import some
from opcodetrace.report.words.sync import MAX_EXPRESSION, operation_name, operation_words
from opcodetrace.report.words.text import call_text, identity, literal, shorten
from opcodetrace.trace.event import ABSENT, EventKind, Opaque, Raised, Value
from opcodetrace.trace.printable import printable
from opcodetrace.trace.quantity import quantity
from opcodetrace.trace.report_model import Interleaving
from opcodetrace.trace.report_step import AccessStep, ComputeStep, FoldStep, Lane, SwitchStep, SyncStep
from opcodetrace.trace.site import Operation
from opcodetrace.trace.stored import StoredSite
from opcodetrace.trace.switch import Reason
from opcodetrace.trace.sync import OF_THREADS, Act

MAX_VALUE = 40  # characters of a value in a sentence
MIN_TOLD = 8  # characters that are worth telling of what is in an object
MAX_NAME = 30  # characters of a thread's name
IN_PARALLEL = "The threads ran in parallel. This is one order that agrees with what was recorded."
IN_TURN = "The tasks took turns in one thread, in this order."
UNORDERED = "these steps overlap: which of them came first is not recorded"
# What is done to a container as a whole, now and before: by kind, whether it is `in`, and whether the value is unknown.
_OF_WHOLE: Mapping[tuple[EventKind, bool, bool], tuple[str, str]] = {
    (EventKind.READ, False, False): ("counts", "counted"),
    (EventKind.READ, False, True): ("reads it", "read it"),
    (EventKind.READ, True, False): ("looks for", "looked for"),
    (EventKind.READ, True, True): ("looks into it", "looked into it"),
    (EventKind.WRITE, False, False): ("adds", "added"),
    (EventKind.WRITE, False, True): ("changes it", "changed it"),
}
LOOP_ENDS = ("JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")


def _told(text: str, length: int) -> str:
    """What could be told of an object. How long the whole is stays in sight: `'aaaa…' of 130 characters`."""
    told = printable(text)
    head, mark, tail = told.rpartition("…")
    room = length - len(mark) - len(tail)
    if len(told) <= length or not mark:
        return shorten(told, length)
    return f"{head[:room]}{mark}{tail}" if room >= MIN_TOLD else f"{head[: length - 1]}{mark}"


def order(interleaving: Interleaving) -> str:
    """How the steps of an interleaving without a GIL follow one another."""
    threads = {lane.thread if lane.task_of is None else lane.task_of for lane in interleaving.lanes}
    return IN_PARALLEL if len(threads) > 1 else IN_TURN


def duration(seconds: float) -> str:
    """A time in the unit that suits it: 12 µs, 1.2 ms, 3.4 s."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 1000 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds * 1e6:.0f} µs"


@dataclass
class StepWords:
    """The words for one interleaving. `code` formats what is quoted from the program, `name` the threads' names."""

    lanes: Mapping[int, Lane]
    paths: frozenset[str] = frozenset()
    code: Callable[[str], str] = identity
    name: Callable[[str], str] = identity
    _objects: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def lane(self, thread: int) -> str:
        """A thread's short name."""
        lane = self.lanes.get(thread)
        return self.name(shorten(printable(lane.name), MAX_NAME)) if lane else f"thread {thread}"

    def value(self, value: Value, length: int = MAX_VALUE) -> str:
        """A value as Python writes it; an object of which only the type is known by type and a number."""
        if isinstance(value, Opaque):
            if value.text is not None and not value.changes:
                return _told(value.text, length)
            name = printable(value.type_name.rpartition(".")[2])
            if value.identity is None:
                return f"<{shorten(name, max(4, length - 2))}>"
            same = self._objects[name]
            number = same.setdefault(value.identity, len(same) + 1)
            named = f"<{shorten(name, max(4, length - 6))} #{number}"
            room = length - len(named) - len(", once >")
            if value.text is None or room < MIN_TOLD:
                return f"{named}>"
            return f"{named}, once {_told(value.text, room)}>"
        if isinstance(value, Raised):
            return shorten(printable(value.type_name), length)
        return "a value that was not recorded" if value is ABSENT else shorten(literal(value), length)

    def place(self, site: StoredSite) -> str:
        """Where a site is: its line, with its file if several are in play."""
        line = "?" if site.line is None else str(site.line)
        if len(self.paths) > 1:
            return f"{self.name(printable(os.path.basename(site.path)))}:{line}"
        return f"line {line}"

    def action(self, step: AccessStep | ComputeStep, length: int = MAX_VALUE) -> str:
        """What a thread does, without its name and in about that length: reads 0."""
        if isinstance(step, ComputeStep):
            origin = "" if step.operand is ABSENT else f" from {self.code(self.value(step.operand, length))}"
            return f"computes {self._quoted(step.value, length - len('computes '))}{origin}"
        if step.kind == EventKind.DELETE and step.value is ABSENT:
            return "deletes it"
        if isinstance(step.value, Raised):
            return f"raises {self._raised(step.value, length - len('raises '))}"
        verb = {EventKind.READ: "reads", EventKind.WRITE: "writes"}.get(step.kind, "removes")
        if step.whole:
            verb = _OF_WHOLE[step.kind, step.site.operation == Operation.CONTAINS, step.value is ABSENT][0]
            return verb if step.value is ABSENT else f"{verb} {self._quoted(step.value, length - len(verb) - 1)}"
        if step.value is ABSENT:
            return f"{verb} it (value unknown)"
        return f"{verb} {self._quoted(step.value, length - len(verb) - 1)}"

    def _raised(self, raised: Raised, length: int = MAX_VALUE) -> str:
        return self.code(shorten(printable(raised.type_name.rpartition(".")[2]), max(4, length)))

    def _quoted(self, value: Value, length: int = MAX_VALUE) -> str:
        return self.code(self.value(value, max(4, length)))

    def did(self, step: AccessStep) -> str:
        """What a write or deletion did, and where: wrote 1 (line 9)."""
        if step.kind == EventKind.DELETE:
            return f"deleted it ({self.place(step.site)})"
        if isinstance(step.value, Raised):
            return f"raised {self._raised(step.value)} ({self.place(step.site)})"
        value = "" if step.value is ABSENT else f" {self.code(self.value(step.value))}"
        verb = "read" if step.kind == EventKind.READ else "wrote"
        if step.whole:
            verb = _OF_WHOLE[step.kind, step.site.operation == Operation.CONTAINS, step.value is ABSENT][1]
        return f"{verb}{value} ({self.place(step.site)})"

    def switch(self, step: SwitchStep, length: int = MAX_EXPRESSION, explained: bool = True) -> str:
        """Who stopped, where and why: Thread-1 yielded inside sleep(0), line 8. Explained or by opcode alone."""
        switch = step.switch
        who = self.lane(switch.from_thread)
        if switch.reason is Reason.ENDED:
            return f"{who} ended"
        place = switch.place
        if switch.reason is Reason.AWAITED and place is None:
            return f"{who} awaited in code that is not woven"
        if place is None:
            verb = {Reason.YIELDED: "yielded", Reason.BLOCKED: "blocked", Reason.PREEMPTED: "was preempted"}
            inside = f"inside {self.code(f'{printable(switch.callee)}()')}, " if switch.callee else ""
            if not step.recorded:
                return f"{who} stopped; the place is not recorded"
            return f"{who} {verb[switch.reason] if switch.reason else 'stopped'} {inside}in code that is not woven"
        line = "" if place.line is None else f", line {place.line}"
        if line and step.path is not None and step.path not in self.paths:
            line = f", {self.name(printable(os.path.basename(step.path)))}:{place.line}"
        opcode = self.name(printable(place.opcode))
        if switch.reason is Reason.AWAITED:
            awaited = self.code(call_text(place.expression, length)) if place.expression else "at an await"
            return f"{who} stopped at {awaited}{line}"
        if switch.callee:
            call = call_text(place.expression, length) if place.expression else f"{printable(switch.callee)}()"
            where = f"inside {self.code(call)}{line}"
        elif explained and place.opcode in LOOP_ENDS:
            where = f"at the loop end{line} ({opcode})"
        elif explained and place.opcode == "RESUME":
            where = f"on entry to {self.code(printable(place.function.rpartition('.')[2]))}{line} (RESUME)"
        elif explained and place.opcode.startswith("CALL") and place.expression:
            at = "after" if switch.reason is Reason.PREEMPTED else "at"
            where = f"{at} {self.code(call_text(place.expression, length))}{line} ({opcode})"
        else:
            where = f"at {opcode}{line}"
        match switch.reason:
            case Reason.YIELDED:
                return f"{who} yielded {where}"
            case Reason.BLOCKED:
                return f"{who} blocked {where}"
            case Reason.PREEMPTED:
                return f"{who} was preempted {where}"
            case _:
                return f"{who} stood {where}; the reason is not recorded"

    def awaited_by(self, step: SwitchStep) -> str:
        """Which coroutines await the one in which a task stopped: awaited by middle, line 12; by add, line 18."""
        awaiting = [
            f"by {self.code(printable(each.function.rpartition('.')[2]))}, {self._line(each.path, each.line)}"
            for each in step.switch.awaited_by
        ]
        return f"awaited {'; '.join(awaiting)}" if awaiting else ""

    def _line(self, path: str | None, line: int | None) -> str:
        if path is not None and line is not None and (path not in self.paths or len(self.paths) > 1):
            return f"{self.name(printable(os.path.basename(path)))}:{line}"
        return f"line {'?' if line is None else line}"

    def synchronised(self, step: SyncStep) -> str:
        """What a thread does to wait for others: acquire lock (waited 1.2 ms; Thread-2 held it)."""
        what = (
            operation_name(step.operation, self.code)
            if step.object is None
            else operation_words(step.operation, step.object, self.code)
        )
        if step.operation in OF_THREADS and step.other is not None:
            what = f"{step.operation} {self.lane(step.other)}"
        if step.begins:
            holder = "" if step.holder is None else f" ({self.lane(step.holder)} holds it)"
            return f"waits to {what}{holder}" if step.operation == Act.ACQUIRE else f"begins {what}"
        remarks = []
        if step.waited is not None:
            remarks.append(f"waited {duration(step.waited)}")
        if step.holder is not None:
            remarks.append(f"{self.lane(step.holder)} held it")
        elif step.woken_by is not None and step.operation != Act.JOIN:
            remarks.append(f"woken by {self.lane(step.woken_by)}")
        suffix = f" ({'; '.join(remarks)})" if remarks else ""
        fails = step.failed and step.operation != Act.LOOK  # it found that there is nothing, or that it is not set
        return f"{what}{' fails' if fails else ''}{suffix}"

    def fold(self, fold: FoldStep, label: str | None = None) -> str:
        """What was left out: 1,204 steps on other locations. Without the label it stands in its thread's lane."""
        parts = []
        here = []
        if fold.accesses:
            here.append(quantity(fold.accesses, "more access", "more accesses"))
        if fold.reads:
            here.append(quantity(fold.reads, "more read"))
        if fold.writes:
            here.append(quantity(fold.writes, "more write"))
        if here:
            of = "" if label is None else f" of {self.code(printable(label))}"
            by = "" if fold.alike else some([self.lane(thread) for thread in fold.threads])
            parts.append(f"{', '.join(here)}{of}{f' by {by}' if label is not None and by else ''}")
        if fold.elsewhere:
            parts.append(f"{quantity(fold.elsewhere, 'step')} on other locations")
        if fold.synchronisation:
            parts.append(f"{quantity(fold.synchronisation, 'more step')} of synchronisation")
        if fold.switches:
            parts.append(quantity(fold.switches, "more switch", "more switches"))
        told = ", ".join(parts)
        if fold.alike:
            who = some([self.lane(thread) for thread in fold.threads])
            return f"{who} {'does' if len(fold.threads) == 1 else 'do'} the same: {told}"
        return told


def step_words(
    interleaving: Interleaving,
    lanes: Iterable[Lane],
    code: Callable[[str], str] = identity,
    name: Callable[[str], str] = identity,
) -> StepWords:
    """The words for an interleaving."""
    paths = {
        step.site.path
        for step in interleaving.steps
        if isinstance(step, (AccessStep, SyncStep)) and step.site is not None
    }
    words = StepWords({lane.thread: lane for lane in lanes}, frozenset(paths), code, name)
    for step in interleaving.steps:  # number the objects in the order in which they appear
        if isinstance(step, AccessStep):
            words.value(step.value)
    return words
