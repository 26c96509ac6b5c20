"""Many runs of a script in tables: how they ended, what was found in which, and which interleavings ended how."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opcodetrace.explain.across_runs import Comparison, Found, GoesWith, Telling
from opcodetrace.explain.outcomes import SameOutcome
from opcodetrace.findings import KINDS
from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words import run as run_words
from opcodetrace.trace.finding import Severity, Tally
from opcodetrace.trace.finding_kind import happened
from opcodetrace.trace.printable import printable
from opcodetrace.trace.quantity import quantity
from opcodetrace.trace.stored import StoredRun

MAX_OUTCOMES = 20  # rows of each table
MAX_FOUND = 20
MAX_CLASSES = 10
NOT_KEPT = "(not captured)"
NOT_KNOWN = "not known exactly"


def show(comparison: Comparison, console: Console) -> None:
    """The tables, and in sentences what sets the runs apart."""
    soft = not console.is_terminal and console.width > 1_000
    for number, part in enumerate(_parts(comparison)):
        if isinstance(part, Table) and number:
            console.print()
        console.print(part, soft_wrap=soft)


def _parts(comparison: Comparison) -> Iterator[Table | Text]:
    yield _outcomes(comparison)
    yield from _more(len(comparison.outcomes) - MAX_OUTCOMES, "outcome")
    if comparison.found:
        yield _found(comparison)
        yield from _more(len(comparison.found) - MAX_FOUND, "finding")
    if len(comparison.runs) > 1:
        yield from _classes(comparison)


def _more(number: int, noun: str) -> Iterator[Text]:
    if number > 0:
        yield Text(f"… and {number:,} more {noun}{'' if number == 1 else 's'}")


def _table(*columns: str, numbers: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        right = column in numbers
        table.add_column(column, justify="right" if right else "left", no_wrap=right)
    return table


def _outcomes(comparison: Comparison) -> Table:
    """How many runs ended how, and what was found in them."""
    raised = any(outcome.exception is not None for outcome in comparison.outcomes)
    columns = ["outcome", "runs", "exit code", *(["exception"] if raised else []), "last line", "found"]
    table = _table(*columns, numbers=("runs",))
    for outcome in comparison.outcomes[:MAX_OUTCOMES]:
        runs = comparison.of_outcome(outcome)
        merged = dict.fromkeys(lanes for run in runs for lanes in run.merged)
        cells = [outcome.name, str(len(outcome.members)), exit_words(outcome)]
        if raised:
            cells.append(outcome.exception or "-")
        cells.append(NOT_KEPT if outcome.last_line is None else outcome.last_line)
        cells.append(run_words.found_words(_spread(runs), merged, KINDS, "-" if runs else "not recorded"))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def exit_words(outcome: SameOutcome) -> str:
    """139 (SIGSEGV)"""
    if outcome.exit_code is None:
        return "?"
    if outcome.signal is None:
        return str(outcome.exit_code)
    try:
        return f"{outcome.exit_code} ({signal.Signals(outcome.signal).name})"
    except ValueError:
        return f"{outcome.exit_code} (signal {outcome.signal})"


def _spread(runs: Sequence[StoredRun]) -> list[Tally]:
    """By kind, from the fewest to the most findings that the runs have."""
    kinds = dict.fromkeys(tally.kind for run in runs for tally in run.found)
    by_run = [{tally.kind: tally for tally in run.found} for run in runs]
    none = Tally("", 0, 0)
    return [
        Tally(
            kind,
            min(found.get(kind, none).low for found in by_run),
            max(found.get(kind, none).high for found in by_run),
        )
        for kind in kinds
    ]


def _found(comparison: Comparison) -> Table:
    """In how many runs each finding happened or may have, and how these ended."""
    by_severity = {id(found): found.by_severity() for found in comparison.found}
    used = [severity for severity in Severity if any(each[severity] for each in by_severity.values())]
    table = _table("finding", *used, "in runs of outcome", numbers=used)
    for found in comparison.found[:MAX_FOUND]:
        runs = by_severity[id(found)]
        worst = next(runs[severity] for severity in Severity if runs[severity])
        goes_with = comparison.goes_with(found)
        what = _what(found) if goes_with is None else f"{_what(found)}\n└ {goes_with_words(goes_with)}"
        counts = [str(len(runs[severity]) or "-") for severity in used]
        table.add_row(Text(what), *map(Text, counts), Text(_of_outcomes(comparison, worst, whole=True)))
    return table


def _what(found: Found) -> str:
    story, run = found.worst
    return printable(finding_words.in_short(story, run.info))


def _of_outcomes(comparison: Comparison, numbers: Sequence[int], *, whole: bool) -> str:
    """A 2 of 7, B 3 of 3: how many of the runs with an outcome these are."""
    return ", ".join(
        f"{outcome.name} {count}" + (f" of {len(outcome.members)}" if whole else "")
        for outcome, count in comparison.by_outcome(numbers)
    )


def goes_with_words(goes_with: GoesWith) -> str:
    """goes with the failures: in 3 of 3 runs that failed, in 0 of 7 others"""
    if goes_with.outcome is None:
        what, which = "the failures", "that failed"
    else:
        what, which = f"outcome {goes_with.outcome.name}", "that ended so"
    return f"goes with {what}: in {goes_with.runs} of {goes_with.runs} runs {which}, in 0 of {goes_with.others} others"


def _classes(comparison: Comparison) -> Iterator[Table | Text]:
    """Which classes of equivalent interleavings ended how."""
    classes = comparison.classes()
    known = [each for each in classes if each[0] is not None]
    if not known:
        yield Text(f"interleavings: {NOT_KNOWN} in any of the {quantity(len(comparison.runs), 'run')}")
        return
    table = _table("interleaving", "runs", "of outcome", numbers=("runs",))
    for name, numbers in [*known[:MAX_CLASSES], *classes[len(known) :]]:
        table.add_row(
            Text(NOT_KNOWN if name is None else printable(name[:8])),
            Text(str(len(numbers))),
            Text(_of_outcomes(comparison, numbers, whole=False)),
        )
    yield table
    rest = known[MAX_CLASSES:]
    if rest:
        runs = sum(len(numbers) for _, numbers in rest)
        yield Text(f"… and {quantity(len(rest), 'more interleaving')}, of {quantity(runs, 'run')}")


def why_shown(comparison: Comparison, telling: Telling) -> str:
    """Which run is shown, and why that one."""
    run, found = telling.run, telling.found
    failed = ""
    if run.outcome.failed:
        signum = run.outcome.signal
        failed = f"it failed ({f'signal {signum}' if signum is not None else f'exit code {run.outcome.exit_code}'})"
    if found is None:
        surely = happened(KINDS, run.found)
        why = (
            "something happened in it, it is not known where" if surely else "of the runs with a finding, few ended so"
        )
    else:
        times, of = len(found.by_severity()[Severity.HAPPENED]), len(comparison.runs)
        others = "in no other" if times == 1 else f"in {times - 1:,} more"
        why = f"{finding_words.an(found.worst[0].kind.name)} happened in it, and {others} of {quantity(of, 'run')}"
    return f"run {run.id} is shown: {'; '.join(filter(None, [failed, why]))}"
