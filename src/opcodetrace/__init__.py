"""Bytecode-level tracing of concurrent Python: records thread switches, shows what lost an update.

`opcodetrace.record` records a part of this process; `opcodetrace record SCRIPT` on the command line, a whole script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opcodetrace.in_process import Recording as Recording
    from opcodetrace.in_process import record as record

__all__ = ["Recording", "record"]


def __getattr__(name: str) -> object:
    # NumPy and SQLite are loaded by whoever records, not by whoever imports.
    if name in __all__:
        import opcodetrace.rewrite.interpreters  # noqa: F401  # first: it says best if this Python is not supported
        from opcodetrace import in_process

        return getattr(in_process, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
