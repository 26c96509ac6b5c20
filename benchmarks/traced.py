"""python traced.py settrace|monitoring PROGRAM ARG: the program, traced by what the standard library has."""

import runpy
import sys
import threading
from types import CodeType, FrameType
from typing import Any

way, program = sys.argv[1:3]
events: list[tuple[int, int]] = []


def trace(frame: FrameType, event: str, arg: Any) -> Any:
    if frame.f_code.co_filename != program:
        return None
    frame.f_trace = trace  # 3.13 ignores f_trace_opcodes on a frame that has none yet
    frame.f_trace_opcodes, frame.f_trace_lines = True, False
    if event == "opcode":
        events.append((threading.get_ident(), frame.f_lasti))
    return trace


def on_instruction(code: CodeType, offset: int) -> Any:
    if code.co_filename != program:
        return sys.monitoring.DISABLE
    events.append((threading.get_ident(), offset))
    return None


sys.argv = [program, *sys.argv[3:]]
if way == "settrace":
    threading.settrace(trace)
    sys.settrace(trace)
else:
    sys.monitoring.use_tool_id(3, "benchmark")
    sys.monitoring.register_callback(3, sys.monitoring.events.INSTRUCTION, on_instruction)
    sys.monitoring.set_events(3, sys.monitoring.events.INSTRUCTION)
runpy.run_path(program, run_name="__main__")
