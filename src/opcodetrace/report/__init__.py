"""Reporters: one file a format, and the dict of them all."""

from __future__ import annotations

from typing import ClassVar, Protocol, TextIO

from opcodetrace.report.json_report import JsonReporter
from opcodetrace.report.markdown import MarkdownReporter
from opcodetrace.report.text import TextReporter
from opcodetrace.trace.report_model import RunReport


class Reporter(Protocol):
    """Writes a finished report; its options are its constructor's, and each has a default."""

    name: ClassVar[str]
    extension: ClassVar[str]

    def write(self, report: RunReport, stream: TextIO) -> None: ...


REPORTERS: dict[str, type[Reporter]] = {
    "text": TextReporter,
    "markdown": MarkdownReporter,
    "json": JsonReporter,
}
