"""Numbers and lists in words."""

from __future__ import annotations

from collections.abc import Sequence


def quantity(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: 1 update, 1,000 updates."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def extent(low: int, high: int, noun: str, plural: str | None = None) -> str:
    """How many, which may be a range: 2 updates, 2 to 5 updates, up to 5 updates."""
    if low == high:
        return quantity(low, noun, plural)
    most = quantity(high, noun, plural)
    return f"up to {most}" if low == 0 else f"{low:,} to {most}"


def listing(parts: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part) if parts else ""
