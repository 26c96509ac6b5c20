"""Outcomes of a script over many runs: exit code, exception, last line printed; what differs from run to run for no
reason that matters is masked.

Two passes. What is of the moment by its form (a duration, a date, an address) is masked always: the end of `3 passed in
0.31s`. Any other number may be the result, so it stays, also one that is the whole line (`samples/counter.py` prints 1
or 2). If many different lines remain that differ in their numbers alone, those that few runs have are one outcome.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from opcodetrace.trace.execution import Outcome

MAX_DIFFERENT = 8  # lines that differ in their numbers alone, and are outcomes of their own however rare
OFTEN = 0.1  # the part of the runs with such lines that makes a line an outcome of its own
_NUMBER = r"\d+(?:[.,_]\d+)*(?:[eE][+-]?\d+)?"
_MOMENTARY = re.compile(
    rf"""
    (?P<uuid> \b [0-9a-fA-F]{{8}} (?:-[0-9a-fA-F]{{4}}){{3}} - [0-9a-fA-F]{{12}} \b)
    | (?P<address> \b 0x[0-9a-fA-F]{{6,}} \b)
    | (?P<date> \b \d{{4}}-\d\d-\d\d (?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)? (?:Z|[+-]\d\d:?\d\d)?)? \b)
    | (?P<time> (?<![\w.:]) \d{{1,3}}:\d\d:\d\d(?:[.,]\d+)? (?![\w:]))
    | (?P<duration> (?<![\w.]) {_NUMBER} \ ?
        (?:[nu\u00b5\u03bcm]s|s|secs?|seconds?|m(?:illi|icro)seconds?|min|minutes?|hours?) \b (?:/[A-Za-z]+\b)?)
    | (?P<rate> (?<![\w.]) {_NUMBER} \ ? [A-Za-z]* / (?:s|sec|second) \b)
    | (?P<name> (?<=/)tmp\w{{6,}} | (?<=pytest-of-)[^/\s]+/pytest-\d+)
    | (?P<pid> (?<![a-z]) (?i:[pt]id) (?:\ |=|:\ ?) \d+ \b)
    """,
    re.VERBOSE,
)
_ANY_NUMBER = re.compile(
    rf"\b 0x[0-9a-fA-F]+ \b | (?<![A-Za-z_]) {_NUMBER} | \b (?=[a-f]*\d) [0-9a-f]{{8,}} \b", re.VERBOSE
)


def masked(line: str) -> str:
    """The line without what is of the moment: `3 passed in <duration>`."""
    return _MOMENTARY.sub(lambda found: f"<{found.lastgroup}>", line)


def without_numbers(line: str) -> str:
    return _ANY_NUMBER.sub("<number>", line)


@dataclass(frozen=True, slots=True)
class SameOutcome:
    """Runs that ended alike."""

    name: str  # A, B ...
    exit_code: int | None
    signal: int | None
    exception: str | None  # masked
    last_line: str | None  # masked; None if what the script printed was not kept
    members: list[int] = field(default_factory=list)  # places among the outcomes that were given


_Words = tuple[str | None, str | None]


def same_outcomes(outcomes: Sequence[Outcome]) -> list[SameOutcome]:
    """The outcomes that are alike together, the most frequent first."""
    words = [_changed((each.exception, each.stdout_tail), masked) for each in outcomes]
    shapes: defaultdict[_Words, Counter[_Words]] = defaultdict(Counter)
    shape_of = {each: _changed(each, without_numbers) for each in set(words)}
    for each in words:
        shapes[shape_of[each]][each] += 1
    groups: defaultdict[tuple[int | None, int | None, _Words], list[int]] = defaultdict(list)
    for place, (outcome, each) in enumerate(zip(outcomes, words, strict=True)):
        alike = shapes[shape_of[each]]
        if len(alike) > MAX_DIFFERENT and alike[each] < OFTEN * alike.total():
            each = shape_of[each]
        groups[outcome.exit_code, outcome.signal, each].append(place)
    found = sorted(groups.items(), key=lambda group: (-len(group[1]), group[1][0]))
    return [
        SameOutcome(_name(number), exit_code, signal, *said, members)
        for number, ((exit_code, signal, said), members) in enumerate(found)
    ]


def _changed(words: _Words, change: Callable[[str], str]) -> _Words:
    exception, last_line = words
    return None if exception is None else change(exception), None if last_line is None else change(last_line)


def _name(number: int) -> str:
    """A, B ... Z, AA, AB ..."""
    letters = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters
