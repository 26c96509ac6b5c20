"""How many steps Python takes for a call: grows with the work, and is the same on every machine."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(call: Callable[[], object]) -> int:
    """Bytecode instructions of the call and of the Python code that it calls."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return trace

    before, collects = sys.gettrace(), gc.isenabled()
    gc.disable()  # what others have run as it collects is not the call's
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
    return count


def assert_linear(call_of: Callable[[int], Callable[[], object]], size: int = 40) -> None:
    """`call_of` gives the call that works on so much of something."""
    steps(call_of(size))  # since 3.12, code counts only once its instructions have been made to
    few, many = steps(call_of(size)), steps(call_of(4 * size))
    assert many <= 5 * few, (few, many)
