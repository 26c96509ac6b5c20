"""The words of a report, the same in every format that is read by people."""

from __future__ import annotations

import os
import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from opcodetrace.trace.event import ABSENT, Kind, Opaque, Value
from opcodetrace.trace.execution import RunInfo
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.protection import Carrier, Doubt, Holding, Why
from opcodetrace.trace.report_model import (
    AccessStep,
    ComputeStep,
    FoldStep,
    Interleaving,
    Lane,
    LostStory,
    Protected,
    Role,
    RunReport,
    SwitchStep,
    SyncStep,
    WatchedLocation,
)
from opcodetrace.trace.run import StoredRun, StoredSite
from opcodetrace.trace.switch import Reason
from opcodetrace.trace.sync import SyncObject

MAX_VALUE = 40  # characters of a value in a sentence
MAX_EXPRESSION = 40  # characters of the call that a thread was suspended in
MAX_NAME = 30  # characters of a thread's name
MAX_UNWOVEN = 5  # unwoven functions that are named

IN_PARALLEL = "The threads ran in parallel. This is one order that agrees with what was recorded."
IN_TURN = "The tasks took turns in one thread, in this order."
UNTOLD = "No interleaving can be shown: the search for an order that agrees with the recording was cut short."
PROTECTED = "Why nothing was lost"
PROTECTED_ELSEWHERE = "Why nothing was lost elsewhere"
HAND_OVER = "How one thread's update followed another's, at the tightest:"
UNORDERED = "these steps overlap: which of them came first is not recorded"

IN_LIBRARY = re.compile(r"<(\w+)> in (.+)", re.DOTALL)  # the label of an object that library code made
LOCKS = ("_thread.lock", "_thread.RLock")
STATES = (("put", "the queue", "empty"), ("set", "the event", "unset"))
ENTERED = re.compile(r"with ([^:(),]+?)(?: as \w+)?:")  # that is the expression of such a call on Python 3.11
MAX_LOCKS = 3  # that are named

ASCII = str.maketrans(dict(zip("│─┼▶◀└⋮…∥·×⇄", "|-+><`:~=-x%", strict=True)))
LOOP_ENDS = ("JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")


def identity(text: str) -> str:
    """A name or a piece of code, as it is."""
    return text


def printable(text: str) -> str:
    """The text on one line, tabs as spaces and whatever does not print escaped."""
    text = text.replace("\t", "    ")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def encodable(text: str, encoding: str | None) -> str:
    """The text in what a stream can take: frames in ASCII and the rest escaped where it takes no Unicode."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(ASCII).encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")
    return text


MAX_CALLS = 8  # of a stack, that are told


def shorten(text: str, length: int) -> str:
    """The text, with its middle left out where it is longer than that."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def quantity(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: 1 update, 1,000 updates."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def extent(low: int, high: int, noun: str) -> str:
    """How many, where it may be a range: 2 updates, 2 to 5 updates, up to 5 updates."""
    if low == high:
        return quantity(low, noun)
    return f"up to {quantity(high, noun)}" if low == 0 else f"{low:,} to {quantity(high, noun)}"


def call_text(expression: str, length: int) -> str:
    """A call, its arguments left out where it would be too long."""
    expression = printable(expression)
    callee = expression.partition("(")[0]
    if len(expression) > length and expression.endswith(")") and 0 < len(callee) <= length - 3:
        return f"{callee}(…)"
    return shorten(expression, length)


def listing(parts: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part) if parts else ""


def shown_path(path: str, info: RunInfo) -> str:
    """The path as the user would type it: relative to where the run was started, if it lies below."""
    inside = info.cwd.rstrip("/") + "/"
    if path.startswith(inside):
        return path[len(inside) :]
    return path


def certainty(interleaving: Interleaving, report: RunReport) -> str:
    """How sure it is that the update was lost, and why."""
    match interleaving.certainty:
        case Certainty.PROVEN:
            return "Proven: the value written is traced to the read that it came from."
        case Certainty.INFERRED:
            return (
                "Inferred: a value went through a call, a parameter or a return; its read is taken to be the one shown."
            )
        case Certainty.POSSIBLE if report.run.unseen and not report.free_threaded:
            return (
                "Possible: code that is not woven wrote to this location too, so more may have happened than is shown."
            )
        case _:
            return "Possible: in other orders that agree with the recording, other updates are lost, or none."


def title(report: RunReport) -> list[str]:
    """What was run, and how, in a few words each."""
    run = report.run
    build = f"Python {run.info.python}" + (", free-threaded" if report.free_threaded else "")
    parts = [f"run {run.id}", build, quantity(run.threads, "thread")]
    if run.tasks:
        parts.append(quantity(run.tasks, "asyncio task"))
    if not report.free_threaded:
        parts.append(quantity(run.switches, "switch", "switches"))
    if run.outcome.signal is not None:
        parts.append(f"killed by signal {run.outcome.signal}")
    elif run.outcome.exit_code:
        parts.append(f"exit code {run.outcome.exit_code}")
    return parts


def script(run: StoredRun) -> str:
    """The script as the user knows it, with its arguments."""
    arguments = [shlex.quote(word) if not word or set(word) & set(" \t\n'\"") else word for word in run.info.argv]
    return printable(" ".join([shown_path(run.info.script, run.info), *arguments]))


def headline(report: RunReport, code: Callable[[str], str] = identity) -> str:
    """How many updates were lost, and where, in one sentence."""
    run = report.run
    losers = [watched for watched in report.watched if watched.high]
    if not run.lost_at_most:
        return "No lost update was seen, within the limits below." if any(caveats(report)) else "No update was lost."
    if len(losers) == 1:
        where = f" of {code(printable(losers[0].label))}"
        place = f" (at {quantity(losers[0].cells, 'location')} of that name)" if losers[0].cells > 1 else ""
    else:
        where, place = "", f", at {quantity(len(losers), 'location')}" if losers else ""
    number = extent(run.lost, run.lost_at_most, "update")
    sentence = number + where + _was_lost(run.lost, run.lost_at_most) + place
    overwriters = sum(watched.overwriters for watched in losers)
    if run.lost_at_most == run.lost > 1 and overwriters == 1:
        sentence += ", all to a single write"
    return sentence[0].upper() + sentence[1:] + "."


def _was_lost(low: int, high: int) -> str:
    if low == 0:
        return " may have been lost"
    return " was lost" if high == 1 else " were lost"


def lost_words(watched: WatchedLocation) -> str:
    """A location's lost updates, as a table has room for."""
    if watched.high == 0:
        return "not counted" if watched.uncertain == watched.cells else "-"
    return extent(watched.low, watched.high, "update").removesuffix("s").removesuffix(" update")


def origin_of_confidence(report: RunReport) -> list[str]:
    """What a run in which nothing was lost does show, and what it does not."""
    run = report.run
    if not report.watched:
        return [
            f"There was nothing to lose: in {quantity(run.accesses, 'recorded access', 'recorded accesses')}, no "
            "location was touched by two threads and written."
        ]
    writes = sum(watched.writes for watched in report.watched)
    cells = sum(watched.cells for watched in report.watched)
    shared = quantity(cells, "shared location")
    sentences = [
        f"Watched: {quantity(writes, 'write')} to {shared}. Each value written was built upon later, was replaced by "
        "one that did not depend on it, or was the last."
    ]
    if report.free_threaded and run.threads == 1:
        sentences.append("There was one thread, in which tasks took turns.")
    elif report.free_threaded:
        sentences.append("The threads ran in parallel, without a GIL.")
    elif run.switches:
        times = "once" if run.switches == 1 else f"{run.switches:,} times"
        sentences.append(f"The interpreter switched threads {times} meanwhile.")
    else:
        sentences.append("The interpreter never switched threads meanwhile.")
    sentences.append("This holds for this run: another may be scheduled otherwise.")
    return sentences


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
    what = {"lock": "Lock"}.get(lock.type_name.rpartition(".")[2], lock.type_name.rpartition(".")[2])
    return words if IN_LIBRARY.fullmatch(lock.label) else f"the {what} {words}"


def operation_words(operation: str, called: SyncObject, code: Callable[[str], str] = identity) -> str:
    """An operation of an object as the source writes it: done.set; of a lock, acquire lock."""
    if IN_LIBRARY.fullmatch(called.label) or called.type_name in LOCKS or " " in called.label:
        return f"{operation} {lock_words(called, code)}"
    return code(f"{printable(called.label)}.{operation}")


def protection(protected: Protected, report: RunReport, code: Callable[[str], str] = identity) -> str:
    """Why no update of a location was lost."""
    verdict = protected.verdict
    names = [held_words(report.objects[each], code) for each in verdict.objects[:MAX_LOCKS]]
    label = code(printable(protected.label)) + (
        f" (at {protected.cells:,} locations of that name)" if protected.cells > 1 else ""
    )
    number = f"{quantity(verdict.updates, 'update')} by {quantity(len(verdict.threads), 'thread')}"
    held = f"one of {listing(names)}, each for a time" if verdict.phases else listing(names)
    match verdict.why:
        case Why.LOCK | Why.SEMAPHORE:
            all_of = f"all but {verdict.apart:,} of its {number} were" if verdict.apart else f"each of its {number} was"
            sentence = f"{label}: {all_of} made, from the read to the write, while the thread held {held}"
            if verdict.why is Why.SEMAPHORE:
                sentence += ", which no two threads held at a time"
            if verdict.apart:
                came = listing([_carrier(each, report, code) for each in verdict.carriers])
                others = "that one" if verdict.apart == 1 else "those"
                sentence += f"; the threads waited for {others}{f' ({came})' if came else ''}"
            return f"{sentence}."
        case Why.ORDER:
            came = listing([_carrier(each, report, code) for each in verdict.carriers])
            return f"{label}: its {number} came one after the other, as the threads waited for each other ({came})."
        case _:
            unseen = ""
            if any(thread.task_of is not None for thread in report.threads if thread.thread in verdict.threads):
                unseen = " (what asyncio's own locks do is not recorded)"
            return (
                f"{label}: none of its {number} was lost in this run, but nothing that was seen orders these "
                f"updates{unseen}."
            )


def _carrier(carrier: Carrier, report: RunReport, code: Callable[[str], str]) -> str:
    if carrier.object is None:
        return {"start": "a thread's start", "end": "the join of a thread"}.get(carrier.before, carrier.before)
    called = report.objects[carrier.object]
    return f"{operation_words(carrier.before, called, code)}, then {operation_words(carrier.after, called, code)}"


def more_protected(number: int) -> str:
    """That not all is told of why locations lost nothing."""
    return f"… and {number:,} more of which the like could be told."


def protection_certainty(protected: Protected, report: RunReport) -> str:
    """How sure it is that this kept updates apart."""
    verdict = protected.verdict
    if verdict.why is Why.NOTHING:
        if report.free_threaded:
            return "Possible: another run may lose some of them."
        return "Possible: whether another run would lose some is not known; one without the GIL may."
    gave = {carrier.before for carrier in verdict.carriers}
    states = [f"{what} is taken to have been {state}" for operation, what, state in STATES if operation in gave]
    reasons = {
        Doubt.SOURCE: "a value went through a call, a parameter or a return; its read is taken to be the one before",
        Doubt.STATE: f"{listing(states)} as the recording began",
        Doubt.JOIN: "a join is taken to have ended because the thread did, not by its timeout",
        Doubt.UNSEEN: "code that is not woven wrote there too, with or without that",
        Doubt.MISSED: "some accesses were not recorded",
        Doubt.PLACES: "a semaphore is taken to have one place; how many it has is not recorded",
    }
    if verdict.doubts:
        return f"Inferred: {listing([reasons[each] for each in verdict.doubts])}."
    if verdict.why is Why.LOCK:
        return "Proven: the lock was held without a break from each read to its write; one thread has it at a time."
    return "Proven: each of these waits could only end after what the other thread had done."


def holdings(story: LostStory, report: RunReport, code: Callable[[str], str] = identity) -> str | None:
    """Which locks the two threads held that lost an update."""
    if len(story.held) != 2 or story.interleaving is None or story.held[0].thread == story.held[1].thread:
        return None
    words = wording(story.interleaving, report.lanes, code)
    both = frozenset.intersection(*(each.at_read | each.at_write for each in story.held))
    broken = [each for each in story.held for lock in both if lock not in each.throughout]
    if both and broken:
        name = listing([held_words(report.objects[each], code) for each in sorted(both)[:MAX_LOCKS]])
        when = [_when(each, both) for each in story.held]
        details = listing([f"{words.lane(each.thread)} {how}" for each, how in zip(story.held, when, strict=True)])
        if when[0] == when[1]:
            details = f"each {when[0]}"
        who = "neither" if not any(both <= each.throughout for each in story.held) else "not both of them"
        return f"Both threads took {name}, but {who} held it from the read to the write: {details}."
    if both:
        return None
    if not any(each.throughout | each.at_read | each.at_write for each in story.held):
        return "Neither thread was seen to hold a lock that another one used too."
    parts = []
    for each in story.held:
        names = [held_words(report.objects[lock], code) for lock in sorted(each.at_read | each.at_write)[:MAX_LOCKS]]
        parts.append(f"{words.lane(each.thread)} held {listing(names) if names else 'none'}")
    return f"No lock was seen that both threads held: {listing(parts)}."


def _when(holding: Holding, locks: frozenset[int]) -> str:
    if locks <= holding.throughout:
        return "held it throughout"
    at = [word for word, held in (("read", holding.at_read), ("write", holding.at_write)) if locks & held]
    return "let go of it in between" if len(at) == 2 else f"held it at the {at[0]} alone"


def caveats(
    report: RunReport, code: Callable[[str], str] = identity, prose: Callable[[str], str] = identity
) -> Iterator[str]:
    """What limits what the report can say, each in a sentence or two. `prose` formats what is not this module's own."""
    run = report.run

    def labels(chosen: Iterable[WatchedLocation]) -> str:
        return _some([code(printable(watched.label)) for watched in chosen])

    if run.let_go:
        yield (
            f"Let go: the first {quantity(run.let_go, 'event')} (--last {run.last:,}). What was lost before, or built "
            "upon a read before, is not known."
        )
    if run.truncated is not None:
        where = "" if run.truncated_seq is None else f" after {quantity(run.truncated_seq, 'record')}"
        yield f"Truncated: recording ended{where} ({run.truncated.value}). What the script did after that is not known."
    if run.unseen:
        of = [watched for watched in report.watched if watched.unseen]
        yield (
            f"Unseen writes: {'once' if run.unseen == 1 else f'{run.unseen:,} times'} a read"
            f"{' of ' if of else ''}{labels(of)} returned another value "
            "than the last write recorded had given. Code that is not woven wrote there; the location starts anew "
            "at that read."
        )
    if run.missed:
        yield (
            f"Not recorded: {quantity(run.missed, 'access', 'accesses')} that the probe saw but could not write down."
        )
    if run.children:
        yield f"Child processes: the script started {quantity(run.children, 'process', 'processes')}, not recorded."
    if run.holes:
        yield (
            f"Holes: {quantity(run.holes, 'record')} begun and never finished, because "
            f"{'its thread was' if run.holes == 1 else 'their threads were'} killed."
        )
    exhausted = [watched for watched in report.watched if watched.exhausted]
    if exhausted:
        yield (
            f"Bounds: the search for orders that agree with the recording was cut short for {labels(exhausted)}. "
            "The counts are bounds that hold, but they may lie far apart."
        )
    uncertain = [watched for watched in report.watched if watched.uncertain]
    if uncertain:
        yield (
            f"Left out: {labels(uncertain)} may stand for more than one object (an address was used again, or a key's "
            "equality is the program's own), so lost updates are not looked for there."
        )
    elif not run.births:
        yield "Identities: births of objects were not seen in this run."
    if report.unwoven:
        names = [code(printable(unwoven.function)) for unwoven in report.unwoven]
        yield (
            f"Not woven: {_some(names)} ran as {'it is' if len(names) == 1 else 'they are'}, unseen "
            f"({_some(sorted({prose(printable(unwoven.reason)) for unwoven in report.unwoven}))})."
        )
    if report.untold_synchronisation:
        yield (
            f"Synchronisation: the run's {report.untold_synchronisation:,} steps are too many for this report to look "
            "into; they are in the trace file (opcodetrace query waits)."
        )
    if run.outcome.recovered:
        yield "Recovered: this run was read back from a spool that its collector left behind."
    for note in run.notes:
        yield prose(printable(note))


def _some(names: Sequence[str]) -> str:
    """All of a few names, or the first of many."""
    unique = list(dict.fromkeys(names))
    if len(unique) <= MAX_UNWOVEN:
        return listing(unique)
    return f"{', '.join(unique[:MAX_UNWOVEN])} and {len(unique) - MAX_UNWOVEN:,} more"


@dataclass
class Wording:
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
            name = printable(value.type_name.rpartition(".")[2])
            if value.identity is None:
                return f"<{shorten(name, max(4, length - 2))}>"
            same = self._objects[name]
            number = same.setdefault(value.identity, len(same) + 1)
            return f"<{shorten(name, max(4, length - 6))} #{number}>"
        return "a value that was not recorded" if value is ABSENT else shorten(repr(value), length)

    def place(self, site: StoredSite) -> str:
        """Where a site is: its line, with its file where several are in play."""
        line = "?" if site.line is None else str(site.line)
        if len(self.paths) > 1:
            return f"{printable(os.path.basename(site.path))}:{line}"
        return f"line {line}"

    def action(self, step: AccessStep | ComputeStep, length: int = MAX_VALUE) -> str:
        """What a thread does, without its name and in about that length: reads 0."""
        if isinstance(step, ComputeStep):
            origin = "" if step.operand is ABSENT else f" from {self.code(self.value(step.operand, length))}"
            return f"computes {self._quoted(step.value, length - len('computes '))}{origin}"
        if step.kind == Kind.DELETE and step.value is ABSENT:
            return "deletes it"
        verb = {Kind.READ: "reads", Kind.WRITE: "writes"}.get(step.kind, "removes")
        if step.value is ABSENT:
            return f"{verb} it (value unknown)"
        return f"{verb} {self._quoted(step.value, length - len(verb) - 1)}"

    def _quoted(self, value: Value, length: int = MAX_VALUE) -> str:
        return self.code(self.value(value, max(4, length)))

    def remark(self, step: AccessStep, interleaving: Interleaving) -> str | None:
        """What a step means for the update that was lost."""
        lost, overwriting = interleaving.step(Role.LOST_WRITE), interleaving.step(Role.OVERWRITING_WRITE)
        match step.role:
            case Role.STALE_READ if lost is not None:
                done = "deletes" if lost.kind == Kind.DELETE else "writes"
                who = "it" if lost.thread == step.thread else self.lane(lost.thread)
                return f"stale once {who} {done}"
            case Role.LOST_WRITE:
                if overwriting is None:
                    return "LOST"
                return f"LOST to {'itself' if overwriting.thread == step.thread else self.lane(overwriting.thread)}"
            case Role.OVERWRITING_WRITE if lost is not None:
                if lost.kind == Kind.DELETE:
                    return f"undoes what {self.lane(lost.thread)} did"
                whose = "its own" if lost.thread == step.thread else f"{self.lane(lost.thread)}'s"
                known = "update" if lost.value is ABSENT else self.code(self.value(lost.value, 12))
                return f"overwrites {whose} {known}"
            case Role.ORIGIN:
                return "where it starts from"
            case _:
                return None

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
            inside = f"inside {self.code(f'{switch.callee}()')}, " if switch.callee else ""
            if not step.recorded:
                return f"{who} stopped, where is not recorded"
            return f"{who} {verb[switch.reason] if switch.reason else 'stopped'} {inside}in code that is not woven"
        line = "" if place.line is None else f", line {place.line}"
        if line and step.path is not None and step.path not in self.paths:
            line = f", {printable(os.path.basename(step.path))}:{place.line}"
        if switch.reason is Reason.AWAITED:
            awaited = self.code(call_text(place.expression, length)) if place.expression else "at an await"
            return f"{who} stopped at {awaited}{line}"
        if switch.callee:
            call = call_text(place.expression, length) if place.expression else f"{switch.callee}()"
            where = f"inside {self.code(call)}{line}"
        elif explained and place.opcode in LOOP_ENDS:
            where = f"at the loop end{line} ({place.opcode})"
        elif explained and place.opcode == "RESUME":
            where = f"on entry to {self.code(printable(place.function.rpartition('.')[2]))}{line} (RESUME)"
        elif explained and place.opcode.startswith("CALL") and place.expression:
            where = f"after {self.code(call_text(place.expression, length))}{line} ({place.opcode})"
        else:
            where = f"at {place.opcode}{line}"
        match switch.reason:
            case Reason.YIELDED:
                return f"{who} yielded {where}"
            case Reason.BLOCKED:
                return f"{who} blocked {where}"
            case Reason.PREEMPTED:
                return f"{who} was preempted {where}"
            case _:
                return f"{who} stood {where}; the reason is not recorded"

    def synchronised(self, step: SyncStep) -> str:
        """What a thread does to wait for others: acquire lock (waited 1.2 ms; Thread-2 held it)."""
        what = step.operation if step.object is None else operation_words(step.operation, step.object, self.code)
        if step.operation in ("start", "join") and step.other is not None:
            what = f"{step.operation} {self.lane(step.other)}"
        if step.begins:
            holder = "" if step.holder is None else f" ({self.lane(step.holder)} holds it)"
            return f"waits to {what}{holder}" if step.operation == "acquire" else f"begins {what}"
        remarks = []
        if step.waited is not None:
            remarks.append(f"waited {duration(step.waited)}")
        if step.holder is not None:
            remarks.append(f"{self.lane(step.holder)} held it")
        elif step.woken_by is not None and step.operation != "join":
            remarks.append(f"woken by {self.lane(step.woken_by)}")
        suffix = f" ({'; '.join(remarks)})" if remarks else ""
        return f"{what}{' fails' if step.failed else ''}{suffix}"

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
            by = listing([self.lane(thread) for thread in fold.threads])
            parts.append(f"{', '.join(here)}{of}{f' by {by}' if label is not None and by else ''}")
        if fold.elsewhere:
            parts.append(f"{quantity(fold.elsewhere, 'step')} on other locations")
        if fold.synchronisation:
            parts.append(f"{quantity(fold.synchronisation, 'more step')} of synchronisation")
        if fold.switches:
            parts.append(quantity(fold.switches, "more switch", "more switches"))
        return ", ".join(parts)

    def sentences(self, interleaving: Interleaving) -> list[str]:
        """Which update was lost, and to whom."""
        lost, overwriting = interleaving.step(Role.LOST_WRITE), interleaving.step(Role.OVERWRITING_WRITE)
        if lost is None:
            return []
        label = self.code(printable(interleaving.label))
        name = self.lane(lost.thread)
        did = self._did(lost)
        lost_it = "may have been lost" if interleaving.certainty is Certainty.POSSIBLE else "was lost"
        if overwriting is None:
            return [f"{name}'s update of {label} {lost_it}: it {did}, and no later value was built upon that."]
        itself = overwriting.thread == lost.thread
        other = "then" if itself else f"then {self.lane(overwriting.thread)}"
        if overwriting.kind == Kind.DELETE:
            undone = f"{other} deleted it ({self.place(overwriting.site)})"
        elif overwriting.value is ABSENT:
            undone = f"{other} wrote over it ({self.place(overwriting.site)})"
        else:
            undone = (
                f"{other} wrote {self.code(self.value(overwriting.value))} over it ({self.place(overwriting.site)})"
            )
        sentences = [f"{name}'s update of {label} {lost_it}: it {did}, {undone}."]
        sentences += self._why(interleaving, lost, overwriting)
        sentences += self._called(interleaving, lost, overwriting)
        return sentences

    def _called(self, interleaving: Interleaving, *steps: AccessStep) -> list[str]:
        """From where the functions of the two writes were called, where that was recorded."""
        told = []
        for step in steps:
            stack = interleaving.stacks.get(step.role) if step.role else None
            if stack:
                places = [f"{self.code(printable(site.function))} ({self.place(site)})" for site in stack[:MAX_CALLS]]
                if len(stack) > MAX_CALLS:
                    places.append(f"{len(stack) - MAX_CALLS} more")
                of = "The lost write" if step.role is Role.LOST_WRITE else "The write over it"
                told.append(f"{of} was reached from {', from '.join(places)}.")
        return told

    def _did(self, step: AccessStep) -> str:
        if step.kind == Kind.DELETE:
            return f"deleted it ({self.place(step.site)})"
        value = "" if step.value is ABSENT else f" {self.code(self.value(step.value))}"
        return f"wrote{value} ({self.place(step.site)})"

    def _why(self, interleaving: Interleaving, lost: AccessStep, overwriting: AccessStep) -> Iterator[str]:
        """Why the overwriting write did not contain the lost one."""
        stale = interleaving.step(Role.STALE_READ)
        who = "It" if overwriting.thread == lost.thread else self.lane(overwriting.thread)
        before = "before that" if overwriting.thread == lost.thread else f"before {self.lane(lost.thread)} wrote"
        if stale is None:
            yield f"{who} had carried on from a value of its own, not from what was written there meanwhile."
            return
        read = "what it had read"
        if stale.value is not ABSENT:
            read = f"the {self.code(self.value(stale.value))} that it had read"
        how = "had computed its value from"
        if interleaving.certainty is Certainty.INFERRED:
            how = "seems to have made its value from"
        yield f"{who} {how} {read} ({self.place(stale.site)}) {before}."
        if interleaving.same_version and stale.value is not ABSENT:
            same = f"Both updates started from the same {self.code(self.value(stale.value))}"
            if overwriting.value is ABSENT or _written_between(interleaving):
                yield f"{same}."
            else:
                label = self.code(printable(interleaving.label))
                yield f"{same}, so the two left {label} at {self.code(self.value(overwriting.value))}."


def _written_between(interleaving: Interleaving) -> bool:
    """Whether the location was written between the lost write and the one that overwrote it."""
    between = False
    for step in interleaving.steps:
        if isinstance(step, AccessStep) and step.role is Role.LOST_WRITE:
            between = True
        elif isinstance(step, AccessStep) and step.role is Role.OVERWRITING_WRITE:
            return False
        elif between and (
            (isinstance(step, AccessStep) and step.kind != Kind.READ)
            or (isinstance(step, FoldStep) and (step.writes or step.accesses))
        ):
            return True
    return False


def wording(
    interleaving: Interleaving,
    lanes: Iterable[Lane],
    code: Callable[[str], str] = identity,
    name: Callable[[str], str] = identity,
) -> Wording:
    """The words for an interleaving."""
    paths = {
        step.site.path
        for step in interleaving.steps
        if isinstance(step, (AccessStep, SyncStep)) and step.site is not None
    }
    words = Wording({lane.thread: lane for lane in lanes}, frozenset(paths), code, name)
    for step in interleaving.steps:  # number the objects in the order in which they appear
        if isinstance(step, AccessStep):
            words.value(step.value)
    return words


def story_heading(story: LostStory, info: RunInfo, code: Callable[[str], str] = identity) -> str:
    """Which write lost its update to which, and how often."""

    def place(site: StoredSite) -> str:
        line = "?" if site.line is None else str(site.line)
        if os.path.join(info.cwd, site.path) == os.path.normpath(os.path.join(info.cwd, info.script)):
            return f"line {line}"
        return f"{printable(shown_path(site.path, info))}:{line}"

    words = f"update of {code(printable(story.label))} at {place(story.lost_site)}"
    words += " lost" if story.overwriting_site is None else f" overwritten at {place(story.overwriting_site)}"
    return f"{words} ({'once' if story.count == 1 else f'{story.count:,} times'})"
