"""opcodetrace weave."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from types import CodeType

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from opcodetrace.errors import ScriptError, UsageError
from opcodetrace.probe import _probe
from opcodetrace.report.words.text import encodable
from opcodetrace.rewrite.decode import Instruction, decode
from opcodetrace.rewrite.weave import Weaver
from opcodetrace.spool.messages import Message
from opcodetrace.trace.hook import OF_TRAPS
from opcodetrace.trace.printable import printable
from opcodetrace.trace.quantity import quantity
from opcodetrace.trace.site import Code, Site

PIPE_WIDTH = 200  # nothing is cut off for a file
MAX_LEFT = 60
GUTTER = " │ "
SWITCH_POINT = "⇄"
LOADS = ("COPY", "LOAD_FAST", "LOAD_CLOSURE")  # what a hook may push between itself and its store
ACTIONS = {getattr(_probe, name): name for name in dir(_probe) if name.isupper()}


@dataclass(frozen=True, slots=True)
class Pair:
    """A code object before and after weaving."""

    before: CodeType
    after: CodeType
    described: Code


@click.command()
@click.option("--function", metavar="NAME", help="Show only this function or class body.")
@click.argument("script", type=click.Path(path_type=Path))
def weave(script: Path, function: str | None) -> None:
    """Show the bytecode of SCRIPT before and after weaving, side by side. Nothing is run."""
    source = read(script)
    pairs = woven(source, script)
    chosen = [pair for pair in pairs if function is None or is_named(pair.before, function)]
    if not chosen:
        names = ", ".join(dict.fromkeys(pair.before.co_qualname for pair in pairs))
        raise UsageError(f"{script} has no function {function!r}; it has {names}")
    lines = decode_source(source).split("\n")
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else PIPE_WIDTH, highlight=False, emoji=False, markup=False)
    with console.capture() as page:
        legend = Text(f"{SWITCH_POINT} the interpreter may switch threads here; ", "dim").append("+ a hook", "green")
        console.print(legend, end="\n\n")
        for pair in chosen:
            for line in Listing(pair, script, lines, console.width).lines():
                line.rstrip()
                console.print(line, soft_wrap=True)
    click.echo(encodable(page.get(), sys.stdout.encoding), nl=False)


def read(script: Path) -> bytes:
    """The script's source."""
    try:
        return script.read_bytes()
    except OSError as error:
        raise ScriptError(f"cannot read {script}: {error.strerror}; give the path of a Python script") from error


def woven(source: bytes, script: Path) -> list[Pair]:
    """All code objects of a script, in the order of the source."""
    try:
        module = compile(source, str(script), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise ScriptError(f"cannot compile {script}: {error}; correct it first") from error
    codes: list[Code] = []

    def send(message: Message) -> None:
        if isinstance(message, Code):
            codes.append(message)

    after = Weaver(send, _probe).weave_module(module, str(script), "__main__", source)
    described = {code.id: code for code in codes}
    pairs = [
        Pair(before, after, described[number])
        for number, (before, after) in enumerate(zip(nested(module), nested(after), strict=True))
    ]
    return sorted(pairs, key=lambda pair: (pair.before.co_firstlineno, pair.before is not module, pair.described.id))


def nested(code: CodeType) -> Iterator[CodeType]:
    """A code object and those in it, in the order in which they are woven: from the inside out."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)
    yield code


def is_named(code: CodeType, name: str) -> bool:
    """Whether a name means this code object: its own, or its qualified one with or without what stands before."""
    return name == code.co_name or code.co_qualname == name or code.co_qualname.endswith(f".{name}")


class Listing:
    """One code object: the original's instructions on the left, the woven one's on the right."""

    def __init__(self, pair: Pair, script: Path, source: list[str], width: int) -> None:
        self.pair = pair
        self.script = script
        self.source = source
        self.sites = {site.id: site for site in pair.described.sites}
        self.switch_points = {point.woven_offset for point in pair.described.switch_points if point.preempts}
        self.before = decode(pair.before).instructions
        self.after = decode(pair.after).instructions
        self.before_arguments = arguments(pair.before)
        self.after_arguments = arguments(pair.after)
        natural = max(cell_len(self.described(each, self.before_arguments, " ")) for each in self.before)
        self.left = max(len("before"), min(natural, MAX_LEFT, (width - len(GUTTER)) // 2))
        self.right = width - len(GUTTER) - self.left

    def lines(self) -> Iterator[Text]:
        """The heading, the source lines and the instructions."""
        code, reason = self.pair.before, self.pair.described.unwoven
        inserted = [hook for hook in self.hooks() if hook is not None]
        hooks = len({id(hook) for hook in inserted})
        yield Text.assemble(
            (printable(code.co_qualname), "bold"),
            f"  {printable(str(self.script))}:{code.co_firstlineno}  ",
            (
                f"{quantity(hooks, 'hook')}, {quantity(len(self.before), 'instruction')} became {len(self.after):,}",
                "dim",
            ),
        )
        if reason is not None:
            yield Text(f"runs as it is, unseen: {printable(reason)}", "yellow")
        yield self.row(Text("before", "dim"), Text("after", "dim"))
        originals = iter(self.before)
        at: int | None = None
        for instruction, hook in zip(self.after, self.hooks(), strict=True):
            line = instruction.position[0]
            if hook is None and line != at and line is not None:
                at = line
                yield Text(f"{line:>4}  {self.source_line(line)}", "cyan")
            yield self.instruction_row(instruction, hook, originals)
        yield Text()

    def instruction_row(
        self, instruction: Instruction, hook: _probe.Hook | None, originals: Iterator[Instruction]
    ) -> Text:
        """An instruction on both sides, or a hook's on the right."""
        if hook is None:
            original = next(originals)
            mark = SWITCH_POINT if 2 * instruction.at in self.switch_points else " "
            left = self.described(original, self.before_arguments, mark)
            return self.row(Text(left), Text(self.described(instruction, self.after_arguments, mark)))
        known = {2 * instruction.at: self.hook_text(hook)} if instruction.name == "LOAD_CONST" else {}
        return self.row(Text(), Text(self.described(instruction, known, "+"), "green"))

    def described(self, instruction: Instruction, known: dict[int, str], mark: str) -> str:
        """An instruction as dis shows it."""
        offset = 2 * instruction.at
        argument = known.get(offset, str(instruction.arg) if instruction.name in LOADS else "")
        return printable(f"{mark} {offset:>5} {instruction.name} {argument}").rstrip()

    def hook_text(self, hook: _probe.Hook) -> str:
        """What a hook does, for which access."""
        action = ACTIONS.get(hook.action, str(hook.action))
        site = self.sites.get(hook.site)
        if site is None:
            return action
        expression = self.expression(site)
        return f"{action}, site {site.id}: {site.operation} {expression}".rstrip()

    def expression(self, site: Site) -> str:
        """The source text of a site, if it lies on one line."""
        if site.line is None or site.line != site.end_line or site.column is None or site.end_column is None:
            return ""
        text = self.source[site.line - 1] if site.line <= len(self.source) else ""
        return printable(text.encode()[site.column : site.end_column].decode("utf-8", "replace"))

    def source_line(self, line: int) -> str:
        """A line of the source, as it is indented."""
        return printable(self.source[line - 1].rstrip()) if 0 < line <= len(self.source) else ""

    def hooks(self) -> list[_probe.Hook | None]:
        """For each woven instruction the hook that it belongs to, None for the original's."""
        owners: list[_probe.Hook | None] = [None] * len(self.after)
        for index, instruction in enumerate(self.after):
            if instruction.name != "LOAD_CONST":
                continue
            hook = self.pair.after.co_consts[instruction.arg]
            if not isinstance(hook, _probe.Hook):
                continue
            last = index + 1
            while self.after[last].name in LOADS:
                last += 1
            first = index if last - index == 3 else index - 1  # the store takes three operands, the hook among them
            last += hook.action in OF_TRAPS
            owners[first : last + 1] = [hook] * (last + 1 - first)
        return owners

    def row(self, left: Text, right: Text) -> Text:
        """Two cells, cropped if there is no room for them."""
        line = Text()
        for cell, width in ((left, self.left), (right, self.right)):
            text = cell.plain
            if cell_len(text) > width:
                text = set_cell_size(text, width - 1) + "…"
            line.append(GUTTER if line.plain else "", "dim")
            line.append(set_cell_size(text, width), cell.style)
        return line


def arguments(code: CodeType) -> dict[int, str]:
    """What dis says of each instruction's argument, by offset."""
    return {
        each.offset: (each.argrepr if each.argrepr or each.arg is None else str(each.arg))
        for each in dis.get_instructions(code)
    }
