"""The `sites` file of a spool: what the child says of the code that it wove."""

from __future__ import annotations

import io
import marshal
import pathlib
from collections import Counter
from typing import Any, BinaryIO, NamedTuple

from opcodetrace.errors import SpoolError
from opcodetrace.trace.module_pattern import matches
from opcodetrace.trace.run import Module
from opcodetrace.trace.site import (
    EARLIER,
    EXCLUDED,
    Code,
    Flow,
    Given,
    LeftModule,
    Patterns,
    Signature,
    Site,
    SourceFile,
    SwitchPoint,
)


class Sites(NamedTuple):
    """All that the child sent, in its order."""

    files: list[SourceFile]
    codes: list[Code]
    left: list[LeftModule]
    patterns: Patterns

    def modules(self) -> list[Module]:
        """What was woven and what was not, by module and file. A file that was loaded anew counts once; each piece of
        generated code, which has no file but a name like `<string>`, counts."""
        functions = Counter(code.file for code in self.codes if code.unwoven is None)
        unwoven = Counter(code.file for code in self.codes if code.unwoven is not None)
        first: dict[tuple[str, str], SourceFile] = {}
        counts: dict[int, list[int]] = {}
        for file in self.files:
            count = counts.setdefault(first.setdefault((file.module, file.path), file).id, [0, 0])
            both = sum if file.path.startswith("<") else max
            count[0] = both((count[0], functions[file.id]))
            count[1] = both((count[1], unwoven[file.id]))
        woven = [Module(file.module, file.id, counts[file.id][0], counts[file.id][1]) for file in first.values()]
        return woven + [Module(left.module, None, 0, 0, left.reason) for left in dict.fromkeys(self.left)]

    def remarks(self) -> list[str]:
        """What the user must know: patterns that did nothing, and modules that could not be woven."""
        woven = [file.module for file in self.files]
        remarks = []
        for pattern in self.patterns.include:
            if not any(matches(pattern, module) for module in woven):
                remarks.append(f"--include {pattern}: no such module was woven; {self._why(pattern)}")
        for pattern in self.patterns.exclude:
            if not any(left.reason == EXCLUDED and matches(pattern, left.module) for left in self.left):
                remarks.append(f"--exclude {pattern}: no module that would have been woven has such a name")
        for left in dict.fromkeys(self.left):
            if left.reason not in (EARLIER, EXCLUDED):
                remarks.append(f"module {left.module} ran as it is, unseen: {left.reason}")
        return remarks

    def _why(self, pattern: str) -> str:
        reasons: dict[str, list[str]] = {}
        for left in self.left:
            if matches(pattern, left.module):
                reasons.setdefault(left.reason, []).append(left.module)
        if not reasons:
            return "the program imported none that is written in Python"
        return "; ".join(
            f"{', '.join(sorted(set(modules)))} {'was' if len(set(modules)) == 1 else 'were'} {reason}"
            if reason in (EARLIER, EXCLUDED)
            else f"{', '.join(sorted(set(modules)))} failed"
            for reason, modules in reasons.items()
        )


def read_sites(path: pathlib.Path) -> Sites:
    """Read marshal-ed tuples, one after the other; a last one that a killed child left unfinished is ignored."""
    sites = Sites([], [], [], Patterns())
    try:
        stream = io.BytesIO(path.read_bytes())
        while (entry := _next_entry(stream)) is not None:
            match entry:
                case ("file", *fields):
                    sites.files.append(SourceFile(*fields))
                case ("code", *fields):
                    sites.codes.append(_code(fields))
                case ("woven", file, name, module, first, description):
                    source, codes = marshal.loads(description)
                    sites.files.append(SourceFile(file, name, module, source))
                    sites.codes.extend(_shifted(_code(list(code)), file, first) for code in codes)
                case ("left", *fields):
                    sites.left.append(LeftModule(*fields))
                case ("patterns", *fields):
                    sites = sites._replace(patterns=Patterns(*fields))
                case _:
                    raise SpoolError(f"cannot read {path}: {str(entry)[:60]!r} is no file and no code")
    except FileNotFoundError:
        return sites
    except OSError as error:
        raise SpoolError(f"cannot read {path}: {error.strerror}") from error
    except TypeError as error:
        raise SpoolError(f"cannot read {path}: {error}; it was written by another version of opcodetrace") from error
    return sites


def _next_entry(stream: BinaryIO) -> Any:
    try:
        return marshal.load(stream)
    except (EOFError, ValueError, TypeError):
        return None


def _code(fields: list[Any]) -> Code:
    code = Code(*fields)
    return code._replace(
        sites=tuple(map(_site, code.sites)),
        switch_points=tuple(map(SwitchPoint._make, code.switch_points)),
        signature=Signature._make(code.signature),
        returned=Flow._make(code.returned),
        given=tuple(
            Given(
                offset,
                callee,
                tuple(map(Flow._make, positional)),
                tuple((name, Flow._make(flow)) for name, flow in keywords),
                Flow._make(receiver),
                Flow._make(others),
            )
            for offset, callee, positional, keywords, receiver, others in code.given
        ),
    )


def _shifted(code: Code, file: int, first: tuple[int, int, int]) -> Code:
    """A code object of a module that is numbered from 0."""
    first_code, first_site, first_phi = first

    def sites(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([number + first_site for number in numbers])

    def phis(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([number + first_phi for number in numbers])

    def flow_of(flow: Flow) -> Flow:
        return flow._replace(
            reads=sites(flow.reads),
            writes=sites(flow.writes),
            phis=phis(flow.phis),
            called_reads=sites(flow.called_reads),
            called_writes=sites(flow.called_writes),
            called_phis=phis(flow.called_phis),
            tested=sites(flow.tested),
            failed=sites(flow.failed),
        )

    def shifted(site: Site) -> Site:
        flow = None if site.flow is None else flow_of(site.flow)
        phi = None if site.phi is None else site.phi + first_phi
        return Site(site.id + first_site, *site[1:9], flow, phi, site.computed)

    return code._replace(
        id=code.id + first_code,
        file=file,
        sites=tuple(map(shifted, code.sites)),
        returned=flow_of(code.returned),
        given=tuple(
            Given(
                each.offset,
                each.callee,
                tuple(map(flow_of, each.positional)),
                tuple((name, flow_of(flow)) for name, flow in each.keywords),
                flow_of(each.receiver),
                flow_of(each.others),
            )
            for each in code.given
        ),
    )


def _site(fields: tuple[Any, ...]) -> Site:
    site = Site._make(fields)
    return site if site.flow is None else site._replace(flow=Flow._make(site.flow))
