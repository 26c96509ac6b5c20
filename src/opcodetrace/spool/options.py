"""How to record: what the user chose. It travels in the spool's `options.json`, by name.

The file is written before the script's process starts and never changed: that process may read it at any time.
"""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_WINDOW = 1 << 30  # bytes


class Options(NamedTuple):
    """No dataclass: the script's process reads it too, and is to load little."""

    switch_interval: float | None = None  # seconds
    max_events: int | None = None
    window_bytes: int = DEFAULT_WINDOW
    keep_all: bool = False
    include: tuple[str, ...] = ()  # patterns of module names (trace.module_pattern)
    exclude: tuple[str, ...] = ()
    last: int | None = None  # keep the last so many events; not together with `max_events`
    calls: bool = False  # record the caller of each function
    values: bool = True  # else of no value more than which object it is
    redact: tuple[str, ...] = ()  # patterns of names whose values are not stored (trace.redaction)


class StoredOptions(NamedTuple):
    """What the file holds."""

    options: Options
    libraries: str = ""  # the folder where the script's process finds the package `bytecode`; "": on its own path

    def to_json(self) -> bytes:
        from json import dumps

        return dumps({"options": self.options._asdict(), "libraries": self.libraries}, indent=1).encode("ascii")

    @classmethod
    def from_json(cls, text: bytes) -> StoredOptions:
        """ValueError, KeyError or TypeError if it is damaged, or of an opcodetrace with other options."""
        from json import loads

        read = loads(text)
        options = Options(**read["options"])
        options = options._replace(include=tuple(options.include), exclude=tuple(options.exclude))
        options = options._replace(redact=tuple(options.redact))
        _check(options)
        return cls(options, read["libraries"])


def _check(options: Options) -> None:
    """ValueError if an option is of another type: a spool may be anybody's."""
    numbers = (options.max_events, options.window_bytes, options.last)
    if not all(number is None or (type(number) is int and 0 < number < 1 << 62) for number in numbers):
        raise ValueError(f"max_events, window_bytes or last is no number that can be: {numbers}")
    if not all(type(flag) is bool for flag in (options.keep_all, options.calls, options.values)):
        raise ValueError("keep_all, calls or values is neither true nor false")
    if not all(type(pattern) is str for pattern in options.include + options.exclude + options.redact):
        raise ValueError("include, exclude or redact has what is no text")
    if options.switch_interval is not None and type(options.switch_interval) not in (int, float):
        raise ValueError("switch_interval is no number")
