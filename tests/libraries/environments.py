"""Virtual environments with opcodetrace and what drivers require."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.libraries.driver import Driver, distribution
from tests.recording import ROOT


@dataclass
class Environment:
    """Drivers whose requirements agree, and so share an environment."""

    drivers: list[Driver] = field(default_factory=list)
    requirements: dict[str, str] = field(default_factory=dict)  # by the name of what is required

    def add(self, driver: Driver) -> bool:
        """Whether its requirements agree with those of the others; then it is in."""
        required = {distribution(requirement): requirement for requirement in driver.requires}
        if any(self.requirements.get(name, requirement) != requirement for name, requirement in required.items()):
            return False
        self.requirements |= required
        self.drivers.append(driver)
        return True


def shared(drivers: Iterable[Driver]) -> list[Environment]:
    environments: list[Environment] = []
    for driver in drivers:
        if not any(environment.add(driver) for environment in environments):
            environments.append(Environment())
            environments[-1].add(driver)
    return environments


def make(folder: Path, requirements: Iterable[str]) -> Path:
    """The interpreter of an environment in this folder, made or brought up to date. Raises CalledProcessError."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    _install(python, "--force-reinstall", "--no-deps", str(ROOT))
    _install(python, str(ROOT), *requirements)
    return python


def _install(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
