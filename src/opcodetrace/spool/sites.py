"""The `sites` file of a spool: what the child says of the code that it wove."""

from __future__ import annotations

import pathlib
from collections import Counter
from typing import NamedTuple

from opcodetrace.errors import SpoolError
from opcodetrace.spool.messages import WovenFile, decode, described
from opcodetrace.spool.private_file import read_private
from opcodetrace.trace.library import CONTAINERS, is_of_container
from opcodetrace.trace.module_pattern import matches
from opcodetrace.trace.run import Module
from opcodetrace.trace.site import EARLIER, EXCLUDED, Code, Ended, Followed, LeftModule, Patterns, SourceFile

MAX_SITES = 1 << 30  # bytes of the file
MAX_NAMED = 5  # functions that a remark names
_NOT_FOLLOWED = {
    Followed.BUDGET: "too long to follow every value: what flows into some of the writes is inferred, not proven",
    Followed.NONE: "in which values could not be followed: what flows into the writes is inferred, not proven",
}


class Sites(NamedTuple):
    """All that the child sent, in its order."""

    files: list[SourceFile]
    codes: list[Code]
    left: list[LeftModule]
    patterns: Patterns
    exception: str | None = None  # that ended the program

    def modules(self) -> list[Module]:
        """What was woven and what was not, by module and file, without the containers of the library. A file that was
        loaded anew counts once; each piece of generated code, which has no file but a name like `<string>`, counts."""
        functions = Counter(code.file for code in self.codes if code.unwoven is None)
        unwoven = Counter(code.file for code in self.codes if code.unwoven is not None)
        first: dict[tuple[str, str], SourceFile] = {}
        counts: dict[int, list[int]] = {}
        for file in self._of_program():
            count = counts.setdefault(first.setdefault((file.module, file.path), file).id, [0, 0])
            both = sum if file.path.startswith("<") else max
            count[0] = both((count[0], functions[file.id]))
            count[1] = both((count[1], unwoven[file.id]))
        woven = [Module(file.module, file.id, counts[file.id][0], counts[file.id][1]) for file in first.values()]
        return woven + [Module(left.module, None, 0, 0, left.reason) for left in dict.fromkeys(self.left)]

    def _of_program(self) -> list[SourceFile]:
        """Without those of which containers alone were woven."""
        module_of = {file.id: file.module for file in self.files}
        wholly = {code.file for code in self.codes if not is_of_container(module_of.get(code.file, ""), code.function)}
        return [file for file in self.files if file.id in wholly or file.module not in CONTAINERS]

    def remarks(self) -> list[str]:
        """What the user must know: patterns that did nothing, and modules that could not be woven."""
        woven = [file.module for file in self._of_program()]
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
        for extent, why in _NOT_FOLLOWED.items():
            functions = sorted({code.function for code in self.codes if code.flow == extent})
            if functions:
                more = len(functions) - MAX_NAMED
                names = ", ".join(functions[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")
                count = "1 function" if len(functions) == 1 else f"{len(functions):,} functions"
                remarks.append(f"{count} {why} ({names})")
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
    """All that was sent. SpoolError if the file cannot be read; one that is not there is empty."""
    sites = Sites([], [], [], Patterns())
    try:
        for message in decode(read_private(str(path), MAX_SITES)):
            match message:
                case SourceFile():
                    sites.files.append(message)
                case Code():
                    sites.codes.append(message)
                case WovenFile():
                    file, codes = described(message)
                    sites.files.append(file)
                    sites.codes.extend(codes)
                case LeftModule():
                    sites.left.append(message)
                case Patterns():
                    sites = sites._replace(patterns=message)
                case Ended():
                    sites = sites._replace(exception=message.exception)
        known = {file.id for file in sites.files}
        if not all(code.file in known for code in sites.codes):
            raise ValueError("it has code of a file that it does not have")
    except FileNotFoundError:
        return sites
    except OSError as error:
        raise SpoolError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise SpoolError(f"{path} is damaged: {error}") from error
    return sites
