"""Findings that are alike: those of one kind whose roles were played at the same source lines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from opcodetrace.trace.finding import Finding, Group
from opcodetrace.trace.finding_kind import FindingKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.source_text import SourceText


def grouped(kinds: Mapping[str, FindingKind], found: Sequence[Finding], trace: Trace) -> tuple[list[int], list[Group]]:
    """The number of each finding's group, and the groups by number."""
    grouping = {name: [role.name for role in kind.roles if role.groups] for name, kind in kinds.items()}
    site_of = _sites(found, trace)
    texts: dict[int, SourceText] = {}
    numbers: dict[tuple[object, ...], int] = {}
    groups: list[Group] = []
    group_of: list[int] = []
    for finding in found:
        sites = [
            (role, site_of[finding.roles[role]])
            for role in grouping[finding.kind]
            if finding.roles.get(role) in site_of
        ]
        places = tuple((role, *_line(site, trace)) for role, site in sites)
        key = (finding.kind, finding.severity, places)
        if key not in numbers:
            numbers[key] = len(groups)
            groups.append(Group(finding.kind, finding.severity, _fingerprint(finding.kind, sites, trace, texts)))
        group_of.append(numbers[key])
    return group_of, groups


def _sites(found: Iterable[Finding], trace: Trace) -> dict[int, int]:
    """The site of each event, or of the synchronisation, that plays a role."""
    wanted = {seq for finding in found for seq in finding.roles.values()}
    sites = {seq: int(trace.events.site[place]) for seq, place in trace.events.places(wanted).items()}
    for each in trace.synchronisation if wanted else ():
        if each.seq in wanted and each.site is not None:
            sites[each.seq] = each.site
    return sites


def _line(site: int, trace: Trace) -> tuple[int, int | None]:
    if site not in trace.sites:
        return -1, site  # nothing is known of it: it is a place of its own
    return trace.site_codes[site].file, trace.sites[site].line


def _fingerprint(kind: str, sites: Iterable[tuple[str, int]], trace: Trace, texts: dict[int, SourceText]) -> str:
    """The same in every run and checkout of the same code.

    It is made of functions, the text of lines and what is done there: no numbers, no addresses, no paths."""
    places = []
    for role, number in sites:
        site, code = trace.sites.get(number), trace.site_codes.get(number)
        if site is None or code is None:
            continue
        if code.file not in texts:
            source = next((file.source for file in trace.files if file.id == code.file), b"")
            texts[code.file] = SourceText(source)
        line = None if site.line is None else texts[code.file].line(site.line)
        places.append([role, code.function, line, str(site.operation)])
    return hashlib.sha256(json.dumps([kind, places]).encode()).hexdigest()[:16]
