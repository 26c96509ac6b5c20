"""What the recorder knows of a run without a look at its trace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunInfo:
    """How the run was made; known to the collector without looking at the spool."""

    started_at: str  # ISO 8601, UTC
    script: str
    argv: tuple[str, ...]
    python: str  # "3.13.0"
    implementation: str  # sys.version
    gil: bool
    switch_interval: float | None  # as set by --switch-interval
    cwd: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the run ended."""

    exit_code: int | None  # the script's own; 128 + N if signal N killed it; None if unknown (recovered)
    signal: int | None
    duration: float  # seconds
    recovered: bool = False
    stdout_sha256: str | None = None  # with --runs: tells outcomes apart
    stdout_tail: str | None = None  # with --runs: the last line printed
    exception: str | None = None  # that ended the script, in a line: KeyError: 'x'. None: none did, or it is not known

    @property
    def failed(self) -> bool | None:
        """Whether the script ended with an exit code other than 0, or by a signal; None if that is not known."""
        return None if self.exit_code is None else self.exit_code != 0 or self.signal is not None
