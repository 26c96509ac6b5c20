"""What the weaver says of the writes of a program, in words of its source."""

from __future__ import annotations

from dataclasses import dataclass

from opcodetrace.probe import _probe
from opcodetrace.rewrite.weave import Weaver
from opcodetrace.spool.messages import Message
from opcodetrace.trace.site import Code, Flow, Site


@dataclass
class Woven:
    """A program's code objects as they are described. Sites are named by their source text, as `d[k]`."""

    source: str
    codes: list[Code]

    def code(self, function: str) -> Code:
        (found,) = (code for code in self.codes if code.function == function)
        return found

    def text(self, site: Site) -> str:
        assert site.line is not None and site.end_line == site.line
        return self.source.splitlines()[site.line - 1][site.column : site.end_column]

    def named(self, numbers: tuple[int, ...]) -> set[str]:
        sites = {site.id: site for code in self.codes for site in code.sites}
        return {self.text(sites[number]) for number in numbers}

    def writes(self, function: str) -> list[tuple[int, Flow]]:
        """The lines of the function's stores and what flows into each, in their order."""
        sites = [site for site in self.code(function).sites if site.operation.startswith("STORE")]
        return [(site.line, site.flow) for site in sites if site.line is not None and site.flow is not None]

    def reads(self, function: str) -> set[str]:
        """What flows into the function's last store by operations, on one path or another."""
        *_, (_, flow) = self.writes(function)
        found = self.named(flow.reads)
        for site in self.code(function).sites:
            if site.phi in flow.phis and site.flow is not None:
                found |= self.named(site.flow.reads)
        return found

    def assigned(self, function: str) -> list[tuple[int, Flow]]:
        """The same of the variables whose value depends on the path."""
        sites = [site for site in self.code(function).sites if site.operation == "DEFINE"]
        return [(site.line, site.flow) for site in sites if site.line is not None and site.flow is not None]


def weave(source: str) -> Woven:
    sent: list[Message] = []
    Weaver(sent.append, _probe).weave_module(compile(source, "program.py", "exec"), "program.py", "program", b"")
    return Woven(source, [message for message in sent if isinstance(message, Code)])
