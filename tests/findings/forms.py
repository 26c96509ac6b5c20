"""Many small programs in one recording: a module each."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.recording import record


class Told(NamedTuple):
    """What a program printed, and its findings of a kind: severity, certainty, label (without what tells it from those
    of the other programs)."""

    printed: str
    findings: list[tuple[object, ...]]

    def of(self, kind: str) -> Told:
        """Of those of all kinds (`all_told_of`), the findings of one."""
        return Told(self.printed, [each[1:] for each in self.findings if each[0] == kind])


def told_of(programs: Mapping[str, str], kind: str, folder: Path, *options: str | Path) -> dict[str, Told]:
    """By the programs' names."""
    told = all_told_of(programs, folder, *options)
    return {name: each.of(kind) for name, each in told.items()}


def all_told_of(programs: Mapping[str, str], folder: Path, *options: str | Path) -> dict[str, Told]:
    """The same of all kinds; a finding begins by its kind. Without a location, its label is empty."""
    for number, source in enumerate(programs.values()):
        (folder / f"form_{number}.py").write_text(used_of(source))
    script = folder / "script.py"
    script.write_text("".join(f"import form_{number}\nprint('--')\n" for number in range(len(programs))))
    recording = record(folder / "trace.db", "-q", *options, script)
    assert recording.exit_code == 0, recording.stderr
    rows = recording.query(
        "SELECT DISTINCT findings.id, path, findings.kind, severity, findings.certainty, ifnull(label, '')"
        " FROM findings"
        " LEFT JOIN locations ON locations.id = findings.location_id"
        " JOIN finding_events ON finding_events.finding_id = findings.id"
        " LEFT JOIN events ON events.run_id = findings.run_id AND events.seq = finding_events.seq"
        " LEFT JOIN synchronisation AS sync ON sync.run_id = findings.run_id AND sync.seq = finding_events.seq"
        " JOIN sites ON sites.id = ifnull(events.site_id, sync.site_id) JOIN files ON files.id = file_id"
        " ORDER BY findings.id"
    )
    printed = recording.stdout.split("--\n")
    findings: dict[str, list[tuple[object, ...]]] = {name: [] for name in programs}
    named = {f"form_{number}.py": name for number, name in enumerate(programs)}
    for _, path, *finding, label in rows:
        if Path(str(path)).name in named:
            findings[named[Path(str(path)).name]].append((*finding, str(label).partition(" (")[0]))
    return {name: Told(printed[number].strip(), findings[name]) for number, name in enumerate(programs)}


def used_of(source: str) -> str:
    """A program without those functions, classes, methods and plain variables that nothing else names: to weave all
    that the programs of a file share would take longer than the rest. Its lines stay where they are."""
    lines = source.splitlines(keepends=True)
    left = dict(_definitions(ast.parse(source).body))
    counts = Counter(re.findall(r"\w+", source))
    goes_on = True
    while goes_on:
        goes_on = False
        for (first, last), name in list(left.items()):
            own = Counter(re.findall(r"\w+", "".join(lines[first:last])))
            if counts[name] == own[name]:
                goes_on = True
                counts -= own
                lines[first:last] = ["\n"] * (last - first)
                del left[first, last]
    return "".join(lines)


def _definitions(body: list[ast.stmt]) -> Iterator[tuple[tuple[int, int], str]]:
    """Their lines, from 0, and names."""
    for each in body:
        first, last = each.lineno - 1, each.end_lineno or each.lineno
        match each:
            case ast.ClassDef(name=name):
                yield (first - len(each.decorator_list), last), name
                methods = [part for part in each.body if isinstance(part, ast.FunctionDef)]
                if len(methods) > 1:
                    yield from _definitions([part for part in methods if not part.name.startswith("__")])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield (first - len(each.decorator_list), last), name
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name(), [], [])):
                yield (first, last), name
