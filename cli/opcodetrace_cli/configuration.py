"""The `[opcodetrace]` section of setup.cfg, or `[tool.opcodetrace]` of pyproject.toml, in the current folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from opcodetrace.errors import UsageError
from opcodetrace.trace import redaction
from opcodetrace.trace.module_pattern import is_pattern
from opcodetrace.trace.site import Patterns

PATTERN_KEYS = ("include", "exclude")
KEYS = (*PATTERN_KEYS, "redact", "values", "ignore")
VALUES = {"all": True, "none": False}


def patterns(include: Sequence[str], exclude: Sequence[str], folder: Path | None = None) -> Patterns:
    """The patterns of the command line, each kind in place of the configuration's.

    UsageError if one can match no module, or if the configuration cannot be read or has an unknown key or value.
    """
    read = configured(folder or Path())
    chosen = {"include": tuple(include), "exclude": tuple(exclude)}
    for key, given in chosen.items():
        for pattern in given:
            _check(pattern, f"--{key}")
    return Patterns(*(chosen[key] or read.get(key, ()) for key in PATTERN_KEYS))


def values(chosen: bool | None, folder: Path | None = None) -> bool:
    """Whether values are recorded: as the command line says, else the configuration, else they are."""
    if chosen is not None:
        return chosen
    (word,) = configured(folder or Path()).get("values", ("all",))
    return VALUES[word]


def redact(given: Sequence[str], folder: Path | None = None) -> tuple[str, ...]:
    """The names whose values are hidden: those of the command line, else of the configuration, else none."""
    for pattern in given:
        _check_name(pattern, "--redact")
    return tuple(given) or configured(folder or Path()).get("redact", ())


def ignored(folder: Path | None = None) -> tuple[str, ...]:
    """The findings that do not count: stale-check, or stale-check:src/*.py."""
    from opcodetrace.explain.gate import is_finding
    from opcodetrace.findings import KINDS

    given = configured(folder or Path()).get("ignore", ())
    for pattern in given:
        if not is_finding(pattern, KINDS):
            raise UsageError(
                f"the configuration's ignore: {pattern!r} is no finding; write it like stale-check:src/*.py"
            )
    return given


def configured(folder: Path) -> dict[str, tuple[str, ...]]:
    """The keys that are set. If both files have a section, pyproject.toml's counts."""
    for path, read in ((folder / "pyproject.toml", _of_pyproject), (folder / "setup.cfg", _of_setup_cfg)):
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UsageError(f"cannot read {path}: {why}") from error
        section = read(path, text)
        if section is not None:
            return section
    return {}


@lru_cache(1)  # a command asks several times
def _of_pyproject(path: Path, text: str) -> dict[str, tuple[str, ...]] | None:
    import tomllib

    try:
        tool = tomllib.loads(text).get("tool")
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    section: Any = tool.get("opcodetrace") if isinstance(tool, dict) else None
    if section is None:
        return None
    if not isinstance(section, dict):
        raise UsageError(f"{path}: tool.opcodetrace must be a table, not {section!r}")
    for key, value in section.items():
        _check_key(key, f"{path}, [tool.opcodetrace]")
        if key == "values":
            section[key] = [value] if isinstance(value, str) else [repr(value)]
            _check_values(section[key], f"{path}, [tool.opcodetrace]")
            continue
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise UsageError(f'{path}, [tool.opcodetrace]: {key} must be a list like ["queue"], not {value!r}')
        for pattern in value:
            _CHECKS[key](pattern, f"{path}, [tool.opcodetrace] {key}")
    return {key: tuple(value) for key, value in section.items()}


@lru_cache(1)
def _of_setup_cfg(path: Path, text: str) -> dict[str, tuple[str, ...]] | None:
    import configparser

    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(text, str(path))
    except configparser.Error as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if not parser.has_section("opcodetrace"):
        return None
    section = {key: tuple(value.replace(",", " ").split()) for key, value in parser.items("opcodetrace")}
    for key, value in section.items():
        _check_key(key, f"{path}, [opcodetrace]")
        if key == "values":
            _check_values(value, f"{path}, [opcodetrace]")
            continue
        for pattern in value:
            _CHECKS[key](pattern, f"{path}, [opcodetrace] {key}")
    return section


def _check_key(key: str, where: str) -> None:
    if key not in KEYS:
        raise UsageError(f"{where}: there is no key {key!r}; it may have {', '.join(KEYS)}")


def _check_values(given: Sequence[str], where: str) -> None:
    if len(given) != 1 or given[0] not in VALUES:
        raise UsageError(f"{where}: values is {' '.join(given)!r}; it may be {' or '.join(VALUES)}")


def _check_name(pattern: str, where: str) -> None:
    if not redaction.is_pattern(pattern):
        raise UsageError(f"{where}: {pattern!r} is no name; write it like token, api_key or pass*")


def _check(pattern: str, where: str) -> None:
    if not is_pattern(pattern):
        raise UsageError(f"{where}: {pattern!r} is not a pattern of module names; write it like queue or requests.*")


def _pass(pattern: str, where: str) -> None:
    """What it must be is known to the command that uses it."""


_CHECKS = {"include": _check, "exclude": _check, "redact": _check_name, "ignore": _pass}
