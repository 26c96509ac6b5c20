"""Protection in words: which locks were held, and why nothing went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opcodetrace.report.words import lanes as lane_words
from opcodetrace.report.words.steps import step_words
from opcodetrace.report.words.sync import MAX_LOCKS, held_words, operation_words
from opcodetrace.report.words.text import identity
from opcodetrace.trace.location import without_number
from opcodetrace.trace.printable import printable
from opcodetrace.trace.protection import Carrier, Doubt, Holding, Why
from opcodetrace.trace.quantity import listing, quantity
from opcodetrace.trace.report_model import Interleaving, Protected, RunReport, Story

PROTECTED = "Why nothing was lost"
PROTECTED_ELSEWHERE = "Why nothing was lost elsewhere"
STATES = (
    ("put", "the queue", "empty"),
    ("set", "the event", "unset"),
    ("release", "the semaphore", "without a free place"),
)


def hand_over(interleaving: Interleaving) -> str:
    """What a hand-over shows."""
    return f"How one {lane_words.noun(interleaving.lanes)}'s update followed another's, at the tightest:"


def protection(protected: Protected, report: RunReport, code: Callable[[str], str] = identity) -> str:
    """Why no update of a location was lost."""
    verdict = protected.verdict
    objects = [report.objects[each] for each in verdict.objects]
    if protected.each_its_own:
        objects = [objects[0]._replace(label=without_number(objects[0].label))]
    names = [held_words(each, code) for each in objects[:MAX_LOCKS]]
    label = code(printable(protected.label)) + (
        f" (at {protected.cells:,} locations of that name)" if protected.cells > 1 else ""
    )
    lanes = lane_words.chosen(verdict.threads, report)
    one, several = lane_words.noun(lanes), lane_words.plural(lanes)
    number = f"{quantity(verdict.updates, 'update')} by {lane_words.count(lanes)}"
    held = f"one of {listing(names)}, each for a time" if verdict.phases else listing(names)
    if protected.each_its_own:
        held += f", one of {len(verdict.objects):,} of that name, always the same one at each location"
    match verdict.why:
        case Why.LOCK | Why.SEMAPHORE:
            all_of = f"all but {verdict.apart:,} of its {number} were" if verdict.apart else f"each of its {number} was"
            sentence = f"{label}: {all_of} made, from the read to the write, while the {one} held {held}"
            if verdict.why is Why.SEMAPHORE:
                sentence += f", which no two {several} held at a time"
            if verdict.apart:
                came = listing([_carrier(each, report, code) for each in verdict.carriers])
                others = "that one" if verdict.apart == 1 else "those"
                sentence += f"; the {several} waited for {others}{f' ({came})' if came else ''}"
            return f"{sentence}."
        case Why.ORDER:
            came = listing([_carrier(each, report, code) for each in verdict.carriers])
            return f"{label}: its {number} came one after the other, as the {several} waited for each other ({came})."
        case _:
            unseen = ""
            if any(lane.task_of is not None for lane in lanes):
                unseen = " (what made the tasks go on is not kept)"
            return (
                f"{label}: none of its {number} was lost in this run, but nothing that was seen orders these "
                f"updates{unseen}."
            )


def _carrier(carrier: Carrier, report: RunReport, code: Callable[[str], str]) -> str:
    if carrier.object is None:
        return {"start": "a thread's start", "end": "the join of a thread"}.get(
            carrier.before, printable(carrier.before)
        )
    called = report.objects[carrier.object]
    return f"{operation_words(carrier.before, called, code)}, then {operation_words(carrier.after, called, code)}"


def more_protected(number: int) -> str:
    """That there are more locations, or reasons, than are told."""
    return f"… and {number:,} more, left out here."


def protection_certainty(protected: Protected, report: RunReport) -> str:
    """How sure it is that this kept updates apart."""
    verdict = protected.verdict
    if verdict.why is Why.NOTHING:
        if report.free_threaded:
            return "Possible: another run may lose some of them."
        return "Possible: it is not known whether another run would lose some. One without the GIL may."
    gave = {carrier.before for carrier in verdict.carriers}
    one = lane_words.noun(lane_words.chosen(verdict.threads, report))
    states = [f"{what} is taken to have been {state}" for operation, what, state in STATES if operation in gave]
    reasons = {
        Doubt.SOURCE: "a value went through a call, a parameter or a return; the read before is taken for its source",
        Doubt.STATE: f"{listing(states)} as the recording began",
        Doubt.JOIN: "a join is taken to have ended because the thread did, not by its timeout",
        Doubt.UNSEEN: "code that is not woven wrote there too, with or without that",
        Doubt.MISSED: "some accesses were not recorded",
        Doubt.PLACES: "a semaphore is taken to have one place; how many it has is not recorded",
        Doubt.MADE: f"what was written before a second {one} came is left out, as the object was being made",
    }
    if verdict.doubts:
        return f"Inferred: {listing([reasons[each] for each in verdict.doubts])}."
    if verdict.why is Why.LOCK:
        return f"Proven: the lock was held without a break from each read to its write; one {one} has it at a time."
    return f"Proven: each of these waits could only end after what the other {one} had done."


def locks(story: Story, report: RunReport, code: Callable[[str], str] = identity) -> Iterator[str]:
    """Which locks were held at a finding, and elsewhere."""
    yield from filter(None, (holdings(story, report, code), held_elsewhere(story, report, code)))


def holdings(story: Story, report: RunReport, code: Callable[[str], str] = identity) -> str | None:
    """Which locks the two threads of a finding held."""
    if len(story.held) != 2 or story.interleaving is None or story.held[0].thread == story.held[1].thread:
        return None
    words = step_words(story.interleaving, report.lanes, code)
    lanes = lane_words.chosen((each.thread for each in story.held), report)
    one, several = lane_words.noun(lanes), lane_words.plural(lanes)
    both = frozenset.intersection(*(each.at_read | each.at_write for each in story.held))
    broken = [each for each in story.held for lock in both if lock not in each.throughout]
    if both and broken:
        name = listing([held_words(report.objects[each], code) for each in sorted(both)[:MAX_LOCKS]])
        when = [_when(each, both) for each in story.held]
        details = listing([f"{words.lane(each.thread)} {how}" for each, how in zip(story.held, when, strict=True)])
        if when[0] == when[1]:
            details = f"each {when[0]}"
        who = "neither" if not any(both <= each.throughout for each in story.held) else "not both of them"
        return f"Both {several} took {name}, but {who} held it from the read to the write: {details}."
    if both:
        return None
    if not any(each.throughout | each.at_read | each.at_write for each in story.held):
        who = "Neither of the two" if one not in ("thread", "task") else f"Neither {one}"
        return f"{who} was seen to hold a lock that another one used too."
    parts = []
    for each in story.held:
        names = [held_words(report.objects[lock], code) for lock in sorted(each.at_read | each.at_write)[:MAX_LOCKS]]
        parts.append(f"{words.lane(each.thread)} held {listing(names) if names else 'none'}")
    return f"No lock was seen that both {several} held: {listing(parts)}."


def held_elsewhere(story: Story, report: RunReport, code: Callable[[str], str] = identity) -> str | None:
    """Which lock the location's other writes held."""
    if story.held_elsewhere is None:
        return None
    lock = held_words(report.objects[story.held_elsewhere.lock], code)
    return f"All {story.held_elsewhere.writes:,} other writes to it, since a second thread came to it, held {lock}."


def _when(holding: Holding, locks: frozenset[int]) -> str:
    if locks <= holding.throughout:
        return "held it throughout"
    at = [word for word, held in (("read", holding.at_read), ("write", holding.at_write)) if locks & held]
    return "released it in between" if len(at) == 2 else f"held it at the {at[0]} alone"
