"""Weaves modules as they are imported.

`SourceLoader.get_code` is replaced, rather than a finder added: `sys.meta_path`, `__loader__` and `__spec__` stay what
they are. The replacement's frames carry importlib's own file name, so importlib cuts them out of tracebacks and
debuggers step over them.
"""

from __future__ import annotations

import sys
from importlib import _bootstrap_external
from types import CodeType
from typing import Any

from opcodetrace.rewrite.cache import Origin
from opcodetrace.rewrite.module_weaver import ModuleWeaver
from opcodetrace.rewrite.selection import Selection
from opcodetrace.trace.hook import Probe
from opcodetrace.trace.library import LIBRARY
from opcodetrace.trace.site import EXCLUDED

_HOOK = """
def get_code(self, fullname):
    code, origin = unseen(load, self, fullname)
    if code is not None:
        return code
    code = original(self, fullname)
    return code if code is None else unseen(weave, self, fullname, code, origin)
"""


def install(weaver: ModuleWeaver, selection: Selection, probe: Probe) -> None:
    """From now on the selected modules are woven as they are loaded. One that cannot be is left to `executed`."""
    loader: Any = _bootstrap_external.SourceLoader

    def load(self: Any, fullname: str) -> tuple[CodeType | None, Origin | None]:
        # A loader of the program's own may make the code of what it likes; and -v says what is done to a .pyc.
        if type(self) is not _bootstrap_external.SourceFileLoader or sys.flags.verbose:
            return None, None
        if not weaver.is_recorded():
            return None, None
        try:
            filename = self.get_filename(fullname)
            if selection.is_woven(fullname, filename):
                return weaver.load(filename, fullname), weaver.origin(filename)
            if is_waited_in(fullname, filename):
                return weaver.load_described(filename), weaver.origin(filename)
        except Exception:  # to be met once more when it is woven, and told there
            pass
        return None, None

    def is_waited_in(fullname: str, filename: str) -> bool:
        return fullname in LIBRARY and filename.startswith(selection.library)

    def weave(self: Any, fullname: str, code: CodeType, origin: Origin | None) -> CodeType:
        if not weaver.is_recorded():
            return code
        try:
            filename = self.get_filename(fullname)
            if selection.is_woven(fullname, filename):
                data, is_library = self.get_data(filename), filename.startswith(selection.library)
                return weaver.weave_module(code, filename, fullname, data, origin, is_library=is_library)
            if selection.is_kept_out(fullname, filename):
                weaver.leave(fullname, EXCLUDED)
            if is_waited_in(fullname, filename):
                return weaver.describe(code, fullname, filename, self.get_data(filename), origin)
        except Exception:  # ours, or of a loader of the program's own: it is met once more when the code is executed
            pass
        return code

    namespace: dict[str, Any] = {
        "original": loader.get_code,
        "unseen": probe.unseen,
        "load": load,
        "weave": weave,
    }
    exec(compile(_HOOK, "<frozen importlib._bootstrap_external>", "exec"), namespace)
    hook = namespace["get_code"]
    for attribute in ("__doc__", "__module__", "__qualname__"):
        setattr(hook, attribute, getattr(loader.get_code, attribute))
    loader.get_code = hook
