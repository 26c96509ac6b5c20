"""Text of programs, as it is shown to people."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line, tabs as spaces and whatever does not print escaped."""
    text = text.replace("\t", "    ")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
