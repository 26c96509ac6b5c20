"""The script's process: puts the weaver and the probe together, then runs the script as Python itself would.

script_process.py starts `python [OPTION]... child.py SPOOL required|optional script|module TARGET [ARG]...`; how to
record it is in the spool's `options.json`.
CPython runs this file as `__main__`, so that all it does around a script is done for the real one too, whose namespace
ours becomes. If anything of ours fails, the process is replaced by a plain `python [OPTION]... script [ARG]...`.
"""

import sys

if __name__ == "__main__":
    _as_started: tuple[dict[str, object], set[str], set[object]] = (
        dict(sys.modules),
        set(sys.path_importer_cache),
        set(getattr(sys.modules.get("copyreg"), "dispatch_table", ())),
    )
    if not sys.flags.safe_path:
        del sys.path[0]  # this file's folder

import gc

if __name__ == "__main__":
    _counts = gc.get_count()
    gc.disable()
    # Ctrl-C before the script begins ends the process without a traceback of ours.
    _interrupt = sys.modules.get("_signal")
    if _interrupt is not None and _interrupt.getsignal(_interrupt.SIGINT) is _interrupt.default_int_handler:
        _interrupt.signal(_interrupt.SIGINT, _interrupt.SIG_DFL)
    else:
        _interrupt = None

from collections.abc import Mapping
from typing import Any, NoReturn

MAX_TOLD = 1_000  # characters of what an exception says
NOT_RECORDED = 74  # exit code if a script that was to be recorded cannot be
_MAIN_NAMES = (
    "__name__",
    "__doc__",
    "__package__",
    "__loader__",
    "__spec__",
    "__annotations__",
    "__builtins__",
    "__file__",
    "__cached__",
)


class _Target:
    """What to run, from our command line."""

    def __init__(self, argv: list[str], orig_argv: list[str]) -> None:
        from os import path

        _, self.spool, need, kind, self.name, *self.args = argv
        self.must_be_recorded = need == "required"
        self.is_module = kind == "module"
        self.options = orig_argv[1 : len(orig_argv) - len(argv)]
        self.command = ["-m", self.name, *self.args] if self.is_module else [self.name, *self.args]
        # Absolute as CPython makes it, which does not normalize (config_run_filename_abspath).
        self.path = self.name if self.name.startswith("/") else f"{_cwd()}/{self.name}"
        self.folder = _cwd() if self.is_module else path.dirname(path.realpath(self.name))

    def roots(self) -> list[str]:
        """The folders whose modules are woven."""
        roots = [_cwd(), self.folder, *(_package_folders(self.name) if self.is_module else ())]
        return [root for root in roots if root not in ("", "/")]

    def run_unrecorded(self) -> NoReturn:
        from posix import execv

        ended = ["--"] if self.command[0].startswith("-") and not self.is_module else []
        execv(sys.executable, [sys.executable, *self.options, *ended, *self.command])
        raise AssertionError("execv returned")

    def give_up(self, reason: str) -> NoReturn:
        """Run it unrecorded, or not at all if it was to be recorded; `unrecorded` tells the collector."""
        try:  # noqa: SIM105 - contextlib need not be loaded
            open(f"{self.spool}/unrecorded", "w").close()
        except OSError:
            pass  # then it has to look for itself
        if self.must_be_recorded:
            _say(f"the script was not run: it cannot be recorded: {reason}")
            raise SystemExit(NOT_RECORDED)
        _say(f"the script runs unrecorded: {reason}")
        self.run_unrecorded()


def _cwd() -> str:
    from os import getcwd

    try:
        return getcwd()
    except OSError:
        return ""  # somebody deleted it


def _package_folders(module: str) -> list[str]:
    """The folders that hold the module's top-level package, found without importing it."""
    from importlib.machinery import PathFinder
    from os import path

    try:
        spec = PathFinder.find_spec(module.partition(".")[0], sys.path)
    except Exception:
        return []  # a finder of the user's own
    if spec is None:
        return []
    places = spec.submodule_search_locations or ([spec.origin] if spec.has_location and spec.origin else [])
    return [path.dirname(place) for place in places]


class _Imports:
    """What the script must find as if ours had never been imported."""

    def __init__(self, modules: dict[str, Any], importers: set[str], reducers: set[object]) -> None:
        import _warnings

        self.modules = modules
        self.importers = importers
        self.reducers = reducers
        self.path = sys.path[:]
        self.filters: list[Any] = _warnings.filters
        self.saved_filters = self.filters[:]
        self.filters[:] = [("ignore", None, Warning, None, 0)]  # -W error is for the script

    def restore(self) -> dict[str, Any]:
        """Gives the modules taken out of `sys.modules`; they must live on as long as what uses them."""
        ours = {name: module for name, module in sys.modules.items() if self.modules.get(name) is not module}
        for name, module in ours.items():
            if name in self.modules:
                sys.modules[name] = self.modules[name]
                continue
            del sys.modules[name]
            parent, _, tail = name.rpartition(".")
            if parent in self.modules and vars(self.modules[parent]).get(tail) is module:
                delattr(self.modules[parent], tail)
        sys.path[:] = self.path
        for place in set(sys.path_importer_cache) - self.importers:
            del sys.path_importer_cache[place]
        self.filters[:] = self.saved_filters
        self._take_back(ours)
        return ours

    def _take_back(self, ours: Mapping[str, Any]) -> None:
        """What modules did to others as we imported them: they would do it again for the script, or see that it is
        done."""
        if "copyreg" in self.modules:
            table = self.modules["copyreg"].dispatch_table
            for registered in table.keys() - self.reducers:
                del table[registered]
        if "ast" in ours:
            for node, attribute in (("Tuple", "dims"), ("Constant", "n"), ("Constant", "s")):
                if isinstance(vars(getattr(ours["ast"], node)).get(attribute), property):
                    delattr(getattr(ours["ast"], node), attribute)


def _check_interpreter() -> None:
    """Raises UnsupportedInterpreter, which says more than the error of a probe that cannot be imported."""
    import opcodetrace.rewrite.interpreters  # noqa: F401


class _Instruments:
    """The weaver, the probe and the import hook, all imported and ready."""

    def __init__(self, target: _Target, modules: dict[str, Any]) -> None:
        from opcodetrace.spool.options import StoredOptions

        with open(f"{target.spool}/options.json", "rb") as file:
            options, libraries = StoredOptions.from_json(file.read())
        self.switch_interval = options.switch_interval
        sys.path.append(libraries)
        from opcodetrace.probe import _probe
        from opcodetrace.rewrite import cache, executed
        from opcodetrace.rewrite.module_weaver import ModuleWeaver
        from opcodetrace.rewrite.selection import Selection
        from opcodetrace.spool.messages import sender
        from opcodetrace.trace.site import EARLIER, EXCLUDED, Ended, Patterns

        send = self.send = sender(f"{target.spool}/sites")
        patterns = Patterns(options.include, options.exclude)
        send(patterns)
        self.probe = _probe
        try:
            kept = cache.Cache(_probe, cache.version_of_weaver() + ("-calls" if options.calls else ""))
        except OSError:  # a weaver without sources
            kept = None
        self.weaver = ModuleWeaver(send, _probe, kept, calls=options.calls)
        self.selection = Selection(target.roots(), patterns)
        for module in self.selection.imported_earlier(modules):
            self.weaver.leave(module, EARLIER)
        self._excluded = EXCLUDED
        self._ended = Ended
        self._executed = executed
        _probe.attach(f"{target.spool}/window")

    def note_end(self, exit_code: object) -> None:
        """Tell the collector which exception ended the program, in a line: an exit code does not."""
        exception = f"SystemExit: {exit_code}" if type(exit_code) is str else self.probe.ended_by()
        if exception is not None:
            try:  # noqa: SIM105 - contextlib need not be loaded
                self.send(self._ended(exception.removeprefix("__main__.").partition("\n")[0][:MAX_TOLD]))
            except OSError:  # a full disk, or a forked process
                pass

    def install_hook(self, script: Any = None) -> None:
        self._executed.install(self.weaver, self.selection, self.probe, script)

    def weave_script(self, target: _Target) -> Any:
        """The script's code. If Python cannot compile it, plain Python says so best."""
        try:
            with open(target.path, "rb") as file:
                source = file.read()
        except OSError:
            target.run_unrecorded()
        shown = sys.stderr
        held = _Held()
        sys.stderr = held
        try:
            code = compile(source, target.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
            target.run_unrecorded()
        finally:
            sys.stderr = shown
        held.show()
        try:
            if self.selection.is_kept_out("__main__", target.path):
                self.weaver.leave("__main__", self._excluded)
                return code
            return self.weaver.weave_file(code, target.path, "__main__", source)
        except Exception as error:
            _say(f"the script itself is not recorded: {_fault(error)}")
            return code


class _Held:
    """Stands in for stderr while the script is compiled: if that fails, its warnings are plain Python's to show."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def show(self) -> None:
        if self.text and sys.stderr is not None:
            try:  # noqa: SIM105 - contextlib need not be loaded
                sys.stderr.write(self.text)
            except (OSError, ValueError):
                pass  # as the warnings module has it


def _say(text: str) -> None:
    """A line on stderr. Past `sys.stderr`: what cannot be written would stay there and fail the script at its end."""
    if sys.stderr is None:
        return
    from posix import write

    line = "".join([each if each.isprintable() else ascii(each)[1:-1] for each in text])  # it may name anything
    try:  # noqa: SIM105
        write(2, f"opcodetrace: {line}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def _fault(error: Exception) -> str:
    """What went wrong, and if that is a fault of ours, where; the whole of it if the environment asks for that."""
    from opcodetrace.errors import SHOW_TRACEBACK, OpcodetraceError, place_of

    if isinstance(error, OpcodetraceError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {error.filename}: {error.strerror}; look at its disk, or name another trace file with -d"
    from os import environ

    if environ.get(SHOW_TRACEBACK):
        from traceback import format_exception

        for line in "".join(format_exception(error)).splitlines():
            _say(line)
    return f"{type(error).__name__}: {error}, at {place_of(error)}"


def _settle(probe: Any, counts: tuple[int, int, int], kept: list[object]) -> None:
    """The garbage collector does not walk our objects, and runs next about when it would have run without them.

    What is frozen is never collected: main undoes it before the interpreter ends, when the script's last cycles are.
    """
    probe.freeze(gc)
    for _ in range(counts[1] - gc.get_count()[1]):
        gc.collect(0)
    for _ in range(4096):
        if gc.get_count()[0] >= counts[0]:
            break
        kept.append([])
    gc.enable()


def _become(target: _Target, namespace: dict[str, Any]) -> None:
    """Make `sys` and `__main__` what they are when Python starts the target itself."""
    sys.argv[:] = ["-m", *target.args] if target.is_module else [target.name, *target.args]
    sys.orig_argv[:] = [sys.orig_argv[0], *target.options, *target.command]
    if not sys.flags.safe_path:
        sys.path.insert(0, target.folder)
    names = {name: namespace[name] for name in _MAIN_NAMES if name in namespace}
    names["__doc__"] = None
    if "__annotations__" in names:
        names["__annotations__"] = {}
    if target.is_module:
        del names["__file__"]
        names.pop("__cached__", None)
        names["__loader__"] = sys.modules["_frozen_importlib"].BuiltinImporter
    else:
        names["__file__"] = target.path
        names["__loader__"] = type(names["__loader__"])("__main__", target.path)
    importers = {
        target.path if place == namespace["__file__"] else place: importer
        for place, importer in sys.path_importer_cache.items()
        if not (target.is_module and place == namespace["__file__"])
    }
    sys.path_importer_cache.clear()
    sys.path_importer_cache.update(importers)
    namespace.clear()
    namespace.update(names)


def main(
    namespace: dict[str, Any],
    modules: dict[str, Any],
    importers: set[str],
    reducers: set[object],
    counts: tuple[int, int, int],
    interrupt: Any,
) -> None:
    """Run the target in `namespace`, the dict of `__main__`. Raises SystemExit unless a script ran to its end.

    `interrupt` is the module of signals if Ctrl-C is to be Python's KeyboardInterrupt as soon as the script begins."""
    target = _Target(sys.argv, sys.orig_argv)
    imports = _Imports(modules, importers, reducers)
    try:
        _check_interpreter()
        recording = _Instruments(target, modules)
        kept: list[object] = [imports.restore()]
        _become(target, namespace)
        if target.is_module:
            recording.install_hook()
            from runpy import _run_module_as_main  # type: ignore[attr-defined]  # what CPython's own -m calls
        else:
            code = recording.weave_script(target)
            recording.install_hook(code)
        if recording.switch_interval is not None:
            sys.setswitchinterval(recording.switch_interval)
        frozen = gc.get_freeze_count()
        _settle(recording.probe, counts, kept)
        recording.probe.populate()
        if interrupt is not None:
            interrupt.signal(interrupt.SIGINT, interrupt.default_int_handler)
        recording.probe.start()
    except Exception as error:
        target.give_up(_fault(error))
    if target.is_module:
        exit_code = recording.probe.run_callable(_run_module_as_main, target.name)
    else:
        exit_code = recording.probe.run_main(code, namespace)
    recording.note_end(exit_code)
    if gc.get_freeze_count() <= frozen:  # else the script has frozen what it does not want to be collected
        gc.unfreeze()
    if (
        type(exit_code) is not int or exit_code or target.is_module
    ):  # else CPython goes on to take __file__ out of the script's namespace
        raise SystemExit(exit_code)


if __name__ == "__main__":
    # This namespace is going to be the script's: the functions must live in a module of their own. The package is made
    # by hand, so that nothing is imported but what is asked for.
    _package = type(sys)("opcodetrace")
    _package.__path__ = [__file__.rpartition("/")[0]]
    sys.modules["opcodetrace"] = _package
    from opcodetrace import child

    child.main(globals(), *_as_started, _counts, _interrupt)
