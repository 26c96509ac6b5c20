"""The report for a terminal: one column a thread, time downward."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words import lanes as lane_words
from opcodetrace.report.words import protection as protection_words
from opcodetrace.report.words import run as run_words
from opcodetrace.report.words import steps as steps_words
from opcodetrace.report.words import sync as sync_words
from opcodetrace.report.words.finding import StoryTeller
from opcodetrace.report.words.steps import StepWords
from opcodetrace.report.words.text import encodable
from opcodetrace.trace.event import ABSENT
from opcodetrace.trace.finding_kind import Mark
from opcodetrace.trace.printable import printable
from opcodetrace.trace.report_model import Interleaving, Protected, RunReport, Story, WatchedLocation
from opcodetrace.trace.report_step import ORIGIN, AccessStep, ComputeStep, FoldStep, SwitchStep, SyncStep
from opcodetrace.trace.stored import StoredSite

PIPE_WIDTHS = (80, 100, 120, 150, 200, 280, 420)  # of a pipe or a file: the first at which nothing is cut
MIN_WIDTH = 60
MAX_PROSE = 120  # cells of a line of sentences
MIN_LANE = 34  # cells; if the lanes would be narrower they share one column
MAX_LANE = 66  # wide enough: nothing is cut then
MIN_ACTION = 16  # cells for what a thread does; with fewer the operation is left out
MARGIN = "  "
GUTTER = " │ "
MAX_WATCHED = 10  # locations listed

STYLES = {Mark.PLAIN: "", Mark.WARNING: "bold yellow", Mark.WRONG: "bold red"}


class TextReporter:
    """Columns for the threads, for a terminal or a file."""

    name: ClassVar[str] = "text"
    extension: ClassVar[str] = ".txt"

    def __init__(self, width: int | None = None, colour: bool | None = None) -> None:
        """What is not given is the terminal's own. NO_COLOR, FORCE_COLOR and COLUMNS are obeyed; a pipe or a file gets
        no colour without FORCE_COLOR, and is as wide as its lines need without COLUMNS."""
        self._width = width
        self._colour = colour

    def write(self, report: RunReport, stream: TextIO) -> None:
        """Write the report."""
        terminal = stream.isatty()
        outside = Console(file=stream)
        given = self._width or (outside.width if terminal else _columns())
        colour = self._colour
        if colour is None:
            forced = bool(os.environ.get("FORCE_COLOR"))
            colour = (forced or (terminal and outside.color_system is not None)) and not os.environ.get("NO_COLOR")
        for width in PIPE_WIDTHS if given is None else (max(MIN_WIDTH, given),):
            text, whole = _written(report, width, colour)
            if whole:
                break
        stream.write(encodable(text, stream.encoding))


def _columns() -> int | None:
    """What the environment says that a page is wide, if it does."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isascii() and columns.isdigit() and 0 < int(columns) < 10_000 else None


def _written(report: RunReport, width: int, colour: bool) -> tuple[str, bool]:
    """The report's text, and whether nothing had to be cut."""
    text = io.StringIO()
    console = Console(
        file=text, width=width, force_terminal=colour, color_system="standard" if colour else None, no_color=not colour,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    page = _Page(report, width, console)
    for line in page.lines():
        if not line.plain.isprintable():  # whatever it was that nobody escaped
            line = Text(printable(line.plain))
        console.print(line, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)
    return text.getvalue(), not page.crop.cut


class _Page:
    """The lines of a report."""

    def __init__(self, report: RunReport, width: int, console: Console) -> None:
        self.report = report
        self.width = width
        self.console = console
        self.crop = _Crop()

    def lines(self) -> Iterator[Text]:
        """All lines."""
        report = self.report
        script, facts = run_words.script(report.run), " · ".join(run_words.title(report))
        if cell_len(script) + cell_len(facts) + 3 <= self.width:
            yield Text.assemble((script, "bold"), (f" · {facts}", "dim"))
        else:
            yield Text(script, "bold")
            yield from self._wrapped(Text(facts, "dim"), "")
        yield Text()
        style = "bold red" if report.went_wrong else "bold yellow" if report.told or report.run.merged else "bold green"
        yield from self._wrapped(Text(run_words.headline(report), style), "")
        confidence = [] if report.told else run_words.origin_of_confidence(report)
        if confidence:
            yield Text()
            for sentence in confidence:
                yield from self._wrapped(Text(sentence))
        if report.watched:
            yield Text()
            yield from self._watched()
        for number, story in enumerate(report.stories, 1):
            if story.like is None or report.stories[number - 2].like is None:
                yield Text()
            yield from self._story(number, story)
        if report.protected:
            yield Text()
            yield Text(protection_words.PROTECTED_ELSEWHERE if report.told else protection_words.PROTECTED, "bold")
            for protected in report.protected:
                yield from self._protected(protected)
        if report.more_protected:
            yield Text()
            yield Text(MARGIN + protection_words.more_protected(report.more_protected), "dim")
        if report.told and not report.stories:
            yield Text()
            yield from self._wrapped(Text(finding_words.UNTOLD))
        if report.more:
            yield Text()
            for line in finding_words.further(report):
                yield Text(f"{line}.", "dim")
        caveats = list(run_words.caveats(report))
        if caveats:
            yield Text()
            yield Text("What to know of this recording", "bold")
            for caveat in caveats:
                yield from self._wrapped(Text("- " + caveat), MARGIN, MARGIN * 2)

    def _wrapped(self, text: Text, first: str = MARGIN, then: str | None = None) -> Iterator[Text]:
        """A paragraph, wrapped at the page's width."""
        then = first if then is None else then
        for index, line in enumerate(text.wrap(self.console, min(self.width, MAX_PROSE) - max(len(first), len(then)))):
            line.rstrip()
            yield Text.assemble(then if index else first, line)

    def _watched(self) -> Iterator[Text]:
        """The shared locations, those that lost most first."""
        shown = self.report.watched[:MAX_WATCHED]
        rows = [("shared location", "writes", "reads", lane_words.plural(self.report.lanes), "found")]
        rows += [
            (_label(watched), f"{watched.writes:,}", f"{watched.reads:,}", f"{watched.threads:,}",
             finding_words.location_words(watched, self.report))
            for watched in shown
        ]  # fmt: skip
        widths = [max(cell_len(row[column]) for row in rows) for column in range(5)]
        widths[0] = min(widths[0], self.width - len(MARGIN) - sum(widths[1:]) - 8)
        for index, row in enumerate(rows):
            cells = [set_cell_size(self.crop(row[0], widths[0]), widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            line = Text(MARGIN + "  ".join(cells[:-1]), "dim" if index == 0 else "")
            style = (
                "dim"
                if index == 0
                else "bold red"
                if finding_words.found_words(shown[index - 1].found, self.report.kinds)
                else "green"
            )
            yield line.append("  " + cells[-1], style)
        rest = self.report.watched[MAX_WATCHED:]
        if rest:
            found = any(finding_words.found_words(watched.found, self.report.kinds) for watched in rest)
            yield Text(f"{MARGIN}… and {len(rest):,} more{'' if found else ', at which nothing was found'}", "dim")

    def _story(self, number: int, story: Story) -> Iterator[Text]:
        """One pair of source lines and its worked interleaving."""
        total = len(self.report.stories) + len(self.report.more)
        ordinal = f"Finding {number} of {total:,}" if total > 1 else "Finding"
        heading = f"{ordinal}: {finding_words.heading(story, self.report.run.info)}"
        if story.like is not None:
            heading += f", like finding {story.like}"
        yield from self._wrapped(Text(heading, "bold" if story.like is None else ""), "", MARGIN)
        teller, interleaving = finding_words.teller(story, self.report), story.interleaving
        if teller is None or interleaving is None:
            return
        sentences = [
            *teller.sentences(),
            *protection_words.locks(story, self.report),
            *filter(None, [teller.started()]),
        ]
        yield Text()
        first = "One of them: " if story.count > 1 else ""
        yield from self._wrapped(Text(first + " ".join(sentences)))
        yield from self._wrapped(Text(teller.how_sure(), "dim"))
        yield Text()
        unordered = any(isinstance(step, AccessStep) and step.unordered for step in interleaving.steps)
        if self.report.free_threaded:
            yield from self._wrapped(Text(steps_words.order(interleaving), "italic"))
        if unordered:
            yield from self._wrapped(Text(f"∥ {steps_words.UNORDERED}", "dim"))
        if self.report.free_threaded or unordered:
            yield Text()
        yield from self._table(interleaving, teller.words, teller)

    def _protected(self, protected: Protected) -> Iterator[Text]:
        """Why a location lost nothing, and how one thread's update followed another's."""
        yield Text()
        yield from self._wrapped(Text(protection_words.protection(protected, self.report)))
        yield from self._wrapped(Text(protection_words.protection_certainty(protected, self.report), "dim"))
        interleaving = protected.hand_over
        if interleaving is not None:
            yield Text()
            yield from self._wrapped(Text(protection_words.hand_over(interleaving)))
            yield Text()
            words = steps_words.step_words(interleaving, self.report.lanes)
            yield from self._table(interleaving, words)

    def _table(self, interleaving: Interleaving, words: StepWords, teller: StoryTeller | None = None) -> Iterator[Text]:
        """An interleaving; its lanes take all the room there is only if something would be cut otherwise."""
        for widest in (MAX_LANE, self.width):
            crop = _Crop()
            lines = list(_Table(interleaving, words, self.width, widest, crop, teller).lines())
            if not crop.cut:
                break
        self.crop.cut |= crop.cut
        yield from lines


def _label(watched: WatchedLocation) -> str:
    label = printable(watched.label)
    return f"{label} (×{watched.cells:,})" if watched.cells > 1 else label


@dataclass(frozen=True, slots=True)
class _Cell:
    """A line in a thread's lane; the right part stands at the lane's right edge."""

    left: Text
    right: str = ""


class _Table:
    """An interleaving: lanes side by side if there is room, else one column with the threads' names."""

    def __init__(
        self,
        interleaving: Interleaving,
        words: StepWords,
        width: int,
        widest: int,
        crop: _Crop,
        teller: StoryTeller | None = None,
    ) -> None:
        """`width` is the page's, `widest` the most cells that a lane gets."""
        self.interleaving = interleaving
        self.teller = teller
        self.words = words
        self.crop = crop
        lanes = interleaving.lanes
        room = width - len(MARGIN) - len(GUTTER) * (len(lanes) - 1)
        self.side_by_side = len(lanes) <= 1 or room // len(lanes) >= MIN_LANE
        if self.side_by_side:
            self.lane_width = min(widest, room // len(lanes))
            self.width = self.lane_width * len(lanes) + len(GUTTER) * (len(lanes) - 1)
        else:
            self.name_width = min(18, max(cell_len(words.lane(lane.thread)) for lane in lanes))
            self.width = min(width - len(MARGIN), widest * 2)
            self.lane_width = self.width - self.name_width - 2
        steps = interleaving.steps
        sites = [step.site for step in steps if isinstance(step, (AccessStep, SyncStep)) and step.site is not None]
        self.several_files = len({site.path for site in sites}) > 1
        self.number_width = max(len(self._number(site)) for site in sites)

    def lines(self) -> Iterator[Text]:
        """The heads of the lanes and the steps."""
        yield from self._heads()
        at: int | None = None  # the lane of the row before, if that was a thread's
        for step in self.interleaving.steps:
            match step:
                case SwitchStep():
                    yield from self._switch(step)
                    at = None
                case FoldStep():
                    yield from self._fold(step)
                    at = None
                case SyncStep():
                    for cell in self._synchronised(step):
                        yield self._row(step.thread, cell, named=at != step.thread)
                        at = step.thread
                    at = None if self.side_by_side else at
                case AccessStep() if step.role == ORIGIN:
                    yield self._origin(step)
                case _:
                    for cell in self._cells(step, headed=step.continues and at == step.thread):
                        yield self._row(step.thread, cell, named=at != step.thread)
                        at = step.thread

    def _heads(self) -> Iterator[Text]:
        if not self.side_by_side:
            return
        lanes = self.interleaving.lanes
        yield self._across([Text(self.crop(printable(lane.title), self.lane_width), "bold cyan") for lane in lanes])
        rule = "─┼─".join("─" * self.lane_width for _ in lanes)
        yield Text(MARGIN + rule, "dim")

    def _cells(self, step: AccessStep | ComputeStep, headed: bool) -> Iterator[_Cell]:
        """The source line, unless it has been given just before; what was done; what that means."""
        indent = " " * (self.number_width + 3)
        if not headed:
            number = self._number(step.site).rjust(self.number_width)
            source = self._source(step.site, self.lane_width - self.number_width - 1, step.continues)
            yield _Cell(Text.assemble((number, "dim"), " ", (source, "")))
        operation = printable(step.operation if isinstance(step, ComputeStep) else step.site.operation)
        style = "" if self.teller is None or isinstance(step, ComputeStep) else STYLES[self.teller.mark(step)]
        mark = "∥ " if isinstance(step, AccessStep) and step.unordered else ""
        room = self.lane_width - len(indent) - len(mark)
        if room - len(operation) - 1 < MIN_ACTION:
            operation = ""
        else:
            room -= len(operation) + 1
        action = self.words.action(step, room)
        if isinstance(step, ComputeStep) and cell_len(action) > room:
            action = self.words.action(replace(step, operand=ABSENT), room)
        self.crop.cut |= cell_len(action) < cell_len(self.words.action(step))
        yield _Cell(Text.assemble(indent, mark, (self.crop(action, room), style)), operation)
        if isinstance(step, AccessStep):
            yield from self._remark(step)

    def _remark(self, step: AccessStep | SyncStep) -> Iterator[_Cell]:
        """What it means for the finding."""
        remark = None if self.teller is None else self.teller.remark(step)
        if self.teller is None or remark is None:
            return
        indent = " " * (self.number_width + 3)
        for index, line in enumerate(self.crop.wrap(remark, self.lane_width - len(indent) - 2)):
            yield _Cell(Text(f"{indent}{'  ' if index else '└ '}{line}", STYLES[self.teller.mark(step)] or "dim"))

    def _synchronised(self, step: SyncStep) -> Iterator[_Cell]:
        """What the thread does to wait for others, after its line."""
        number = "" if step.site is None else self._number(step.site)
        for index, line in enumerate(
            self.crop.wrap(self.words.synchronised(step), self.lane_width - self.number_width - 3)
        ):
            begin = "  " if index else ""
            yield _Cell(Text.assemble(("" if index else number).rjust(self.number_width), " ", (begin + line, "cyan")))
        yield from self._remark(step)

    def _number(self, site: StoredSite) -> str:
        line = "?" if site.line is None else str(site.line)
        return f"{printable(os.path.basename(site.path))}:{line}" if self.several_files else line

    def _source(self, site: StoredSite, room: int, continues: bool) -> str:
        source = printable(site.source_line) or printable(site.expression or "") or f"(in {printable(site.function)})"
        if continues:
            source = "… " + source
        return self.crop(source, room, printable(site.expression or ""))

    def _row(self, thread: int, cell: _Cell, named: bool) -> Text:
        """A line in one lane, the others empty."""
        left = cell.left.copy()
        gap = self.lane_width - left.cell_len - cell_len(cell.right)
        if cell.right and gap > 0:
            left.append(" " * gap).append(cell.right, "dim")
        if self.side_by_side:
            return self._across([left if lane.thread == thread else Text() for lane in self.interleaving.lanes])
        name = self.crop(self.words.lane(thread), self.name_width) if named else ""
        line = Text.assemble(MARGIN, (set_cell_size(name, self.name_width), "bold cyan"), "  ", left)
        line.rstrip()
        return line

    def _across(self, texts: list[Text]) -> Text:
        line = Text(MARGIN)
        for index, text in enumerate(texts):
            if index:
                line.append(GUTTER, "dim")
            line.append_text(text)
            line.append(" " * (self.lane_width - text.cell_len))
        line.rstrip()
        return line

    def _switch(self, step: SwitchStep) -> Iterator[Text]:
        """A switch, drawn across all lanes towards the thread that runs next."""
        switch = step.switch
        target = self.words.lane(switch.to_thread)
        room = self.width - len("── switch:  ─▶ ")
        arrow_suffices = self.side_by_side and len(self.interleaving.lanes) == 2
        for length, explained in ((sync_words.MAX_EXPRESSION, True), (24, True), (24, False), (16, False)):
            words = self.words.switch(step, length, explained)
            if cell_len(words) + cell_len(target) <= room:
                break
            if arrow_suffices and cell_len(words) <= room + 1:
                target = ""
                break
        rightward = self._rightward(switch.from_thread, switch.to_thread)
        lines = self.crop.wrap(words, max(12, room - cell_len(target)))
        for index, line in enumerate(lines):
            begin = "── switch: " if index == 0 else " " * len("── switch: ")
            if index < len(lines) - 1:
                drawn = begin + line
            else:
                rest = self.width - cell_len(begin + line + target) - (4 if target else 3)
                drawn = f"{begin}{line} {'─' * rest}{'─▶' if rightward else '──'}{' ' if target else ''}{target}"
            if not rightward:
                drawn = self._leftward(begin, line, target, first=index == 0, last=index == len(lines) - 1)
            yield Text(MARGIN + drawn, "magenta")
        awaited = self.words.awaited_by(step)
        if awaited:
            indent = MARGIN + " " * (len("── switch: ") + (0 if rightward else cell_len(target) + 2))
            for line in self.crop.wrap(awaited, max(12, self.width - cell_len(indent))):
                yield Text(indent + line, "dim")

    def _leftward(self, begin: str, line: str, target: str, first: bool, last: bool) -> str:
        head = f"{target}{' ' if target else ''}◀"
        drawn = f"{head}{begin}{line}" if first else f"{' ' * cell_len(head)}{begin}{line}"
        return f"{drawn} {'─' * (self.width - cell_len(drawn) - 1)}" if last else drawn

    def _rightward(self, from_thread: int, to_thread: int) -> bool:
        if not self.side_by_side:
            return True
        numbers = [lane.thread for lane in self.interleaving.lanes]
        if to_thread in numbers and from_thread not in numbers:
            return to_thread == numbers[-1]
        return to_thread > from_thread

    def _origin(self, step: AccessStep) -> Text:
        """The write that the story starts from; it may be long past, and any thread's."""
        words = f"earlier: {self.words.lane(step.thread)} {self.words.action(step)}, {self.words.place(step.site)}"
        return self._aside(words)

    def _fold(self, step: FoldStep) -> Iterator[Text]:
        """What was left out: in its lane if it is one thread's, else across."""
        single = len(step.threads) == 1 and not step.elsewhere and not step.switches and not step.alike
        if single and step.threads[0] in [lane.thread for lane in self.interleaving.lanes]:
            indent = " " * (self.number_width + 1)
            words = self.crop(f"⋮ {self.words.fold(step)}", self.lane_width - len(indent))
            yield self._row(step.threads[0], _Cell(Text(indent + words, "dim")), named=True)
            return
        words = f"⋮ {self.words.fold(step, self.interleaving.label)}"
        for index, line in enumerate(self.crop.wrap(words, self.width - self.number_width - 3)):
            yield self._aside(f"{'  ' if index else ''}{line}")

    def _aside(self, words: str) -> Text:
        """A line across all lanes, out of the way."""
        return Text(f"{MARGIN}{' ' * self.number_width} {self.crop(words, self.width - self.number_width - 1)}", "dim")


class _Crop:
    """Cuts texts to the room there is, and remembers if it had to."""

    def __init__(self) -> None:
        self.cut = False

    def __call__(self, text: str, width: int, keep: str = "") -> str:
        """The text cut to a width, so that the part to keep stays in sight."""
        if cell_len(text) <= width:
            return text
        self.cut = True
        start = text.find(keep) if keep else -1
        if start > 0 and cell_len(text[: start + len(keep)]) > width - 1:
            before = max(0, width - 2 - cell_len(keep))  # cells left for what stands before the part to keep
            begin = start
            while begin > 0 and cell_len(text[begin - 1 : start]) <= before // 2:
                begin -= 1
            text = "…" + text[begin:]
            if cell_len(text) <= width:
                return text
        return set_cell_size(text, width - 1).rstrip() + "…"

    def wrap(self, text: str, width: int) -> list[str]:
        """The text in lines, cut between words if it can be."""
        lines = [""]
        for word in text.split():
            word = self(word, width)
            longer = f"{lines[-1]} {word}".strip()
            if cell_len(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines
