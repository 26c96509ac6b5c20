"""What the pages refer to is there: other pages, their headings, and the files of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.recording import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FILE = re.compile(r"`([\w./]+\.(?:py|pyi|c|h|sql|sh))`")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
FOLDERS = (ROOT, ROOT / "src" / "opcodetrace", ROOT / "src" / "opcodetrace" / "rewrite", ROOT / "tests")
# Examples: files that a reader would make, or has.
MADE_UP = {"script.py", "counter.py", "report/csv_report.py", "findings/taken_over.py", "test_taken_over.py"}
SOURCES = ("src", "cli", "tests", "samples", "benchmarks")
NAMES = {file.name for folder in SOURCES for file in (ROOT / folder).rglob("*.*")}


def text_of(page: Path) -> str:
    return CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = (re.sub(r"[`*]", "", heading).strip().lower() for heading in HEADING.findall(text_of(page)))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(text_of(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else page.parent / path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = {name for name in FILE.findall(text_of(page)) if not name.endswith(tuple(MADE_UP))}
    gone = {
        name
        for name in named
        if not any((folder / name).exists() for folder in FOLDERS) and ("/" in name or name not in NAMES)
    }
    assert gone == set()


def test_every_page_is_in_the_index() -> None:
    linked = set(LINK.findall((ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= linked
