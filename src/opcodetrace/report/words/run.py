"""A run in words: what was recorded, what was found, and what limits both."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from opcodetrace.report.words import finding
from opcodetrace.report.words import lanes as lane_words
from opcodetrace.report.words.text import identity, shown_path
from opcodetrace.trace.finding import Tally
from opcodetrace.trace.finding_kind import FindingKind
from opcodetrace.trace.printable import printable
from opcodetrace.trace.quantity import listing, quantity
from opcodetrace.trace.report_model import RunReport, WatchedLocation
from opcodetrace.trace.run import MergedLanes
from opcodetrace.trace.stored import StoredRun

MERGED = {
    MergedLanes.GREENLETS: (
        "Greenlets: several took turns within a thread (gevent, eventlet), and they are taken for one thread. "
        "What one of them lost to another is not seen."
    ),
    MergedLanes.COROUTINES: (
        "Coroutines: several took turns within a thread, driven by code that is not asyncio's (trio, curio, a loop of "
        "the program's own), and they are taken for one thread. What one of them lost to another is not seen."
    ),
}
MAX_UNWOVEN = 5  # unwoven functions that are named


def title(report: RunReport) -> list[str]:
    """What was run, and how, in a few words each."""
    run = report.run
    build = f"Python {printable(run.info.python)}" + (", free-threaded" if report.free_threaded else "")
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
    """How much was found, and where, in a sentence or two."""
    told = finding.headlines(report, code)
    if any(kind.fails_check for kind in report.told):
        return " ".join(told)
    if report.run.merged:
        return f"What was lost is not known: {listing([each.value for each in report.run.merged])} were not told apart."
    nothing = finding.nothing(report)
    if any(caveats(report)):
        nothing = f"Within the limits below, {nothing[0].lower()}{nothing[1:]}"
    return " ".join([f"{nothing}.", *told])


def origin_of_confidence(report: RunReport) -> list[str]:
    """What a run does show if nothing was lost in it, and what it does not."""
    run = report.run
    if run.merged:
        return []
    if not report.watched:
        return [
            f"There was nothing to lose: in {quantity(run.accesses, 'recorded access', 'recorded accesses')}, no "
            f"location was touched by two {lane_words.plural(report.lanes).replace(' and ', ' or ')} and written."
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
        sentences.append(f"{_switcher(report)} {times} meanwhile.")
    else:
        sentences.append("The interpreter never switched threads meanwhile.")
    sentences.append("This holds for this run: another may be scheduled otherwise.")
    return sentences


def _switcher(report: RunReport) -> str:
    if not report.run.tasks:
        return "The interpreter switched threads"
    return "The tasks took turns" if report.run.threads == 1 else "The threads and tasks took turns"


def caveats(
    report: RunReport, code: Callable[[str], str] = identity, prose: Callable[[str], str] = identity
) -> Iterator[str]:
    """What limits what the report can say, each in a sentence or two. `prose` formats what is not this module's own."""
    run = report.run

    def labels(chosen: Iterable[WatchedLocation]) -> str:
        return _some([code(printable(watched.label)) for watched in chosen])

    yield from map(MERGED.__getitem__, run.merged)
    if run.let_go:
        yield (
            f"Evicted: the first {quantity(run.let_go, 'event')} (--last {run.last:,}). What was lost among them, or "
            "built upon a read among them, is not known."
        )
    if run.truncated is not None:
        where = "" if run.truncated_seq is None else f" after {quantity(run.truncated_seq, 'record')}"
        yield f"Truncated: recording ended{where} ({run.truncated.value}). What the script did after that is not known."
    for kind in report.kinds.values():
        if not kind.is_told and report.tally(kind).high:
            of = [watched for watched in report.watched if watched.tally(kind.name).high]
            yield kind.caveat(finding.total(kind, report, code), labels(of))
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
    exhausted = [watched for watched in report.watched if any(tally.exhausted for tally in watched.found)]
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
        yield "Identities: it was not seen when objects were made, so one address may stand for several of them."
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


def found_words(
    tallies: Iterable[Tally], merged: Iterable[MergedLanes], kinds: Mapping[str, FindingKind], nothing: str
) -> str:
    """What was found, as a table has room for; `nothing` if nothing was, unless lanes were not told apart."""
    lanes = listing([each.value for each in merged])
    return (
        "; ".join(filter(None, [finding.found_words(tallies, kinds), lanes and f"{lanes} not told apart"])) or nothing
    )


def _some(names: Sequence[str]) -> str:
    """All of a few names, or the first of many."""
    unique = list(dict.fromkeys(names))
    if len(unique) <= MAX_UNWOVEN:
        return listing(unique)
    return f"{', '.join(unique[:MAX_UNWOVEN])} and {len(unique) - MAX_UNWOVEN:,} more"
