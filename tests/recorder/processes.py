"""Scripts run plainly and recorded, to be compared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.recording import COMMAND


def environment(**changes: str) -> dict[str, str]:
    """Ours, without what would change where a trace goes, and as good in another folder."""
    path = os.environ.get("PYTHONPATH")
    if path:
        changes["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in path.split(os.pathsep))
    return {key: value for key, value in os.environ.items() if key != "OPCODETRACE_DB"} | changes


class Scripts:
    """A folder in which scripts are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "traces" / "trace.db"  # elsewhere, so that the script's folder stays as it is
        self.database.parent.mkdir()

    def write(self, name: str, source: str | bytes) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.encode() if isinstance(source, str) else source)
        return path

    def run(
        self,
        command: Sequence[str | Path],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a command in the folder."""
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=env or environment(),
            pass_fds=pass_fds,
            check=False,
        )

    def plain(
        self, *args: str | Path, options: Sequence[str] = (), stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """`python [OPTION]... ARG...`."""
        return self.run([sys.executable, *options, *args], stdin=stdin)

    def recording_command(self, *args: str | Path, options: Sequence[str] = ()) -> list[str | Path]:
        """`python [OPTION]... -m opcodetrace record -q ARG...`."""
        return [COMMAND[0], *options, *COMMAND[1:], "record", "-d", self.database, "-q", *args]

    def recorded(
        self, *args: str | Path, options: Sequence[str] = (), stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """The same through opcodetrace, which says nothing itself."""
        return self.run(self.recording_command(*args, options=options), stdin=stdin)

    def start(self, *args: str | Path) -> subprocess.Popen[bytes]:
        """A recording that goes on, in a session of its own; its stdin and stdout are pipes."""
        return subprocess.Popen(
            self.recording_command(*args),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=environment(),
            start_new_session=True,
        )

    def opcodetrace(self, *args: str | Path) -> subprocess.CompletedProcess[bytes]:
        """Another command of opcodetrace."""
        return self.run([*COMMAND, args[0], "-d", self.database, *args[1:]])

    def spools(self) -> list[Path]:
        """What lies beside the database."""
        return sorted(path for path in self.database.parent.iterdir() if ".spool-" in path.name)

    def same(self, *args: str | Path, options: Sequence[str] = (), stdin: bytes = b"") -> int:
        """Assert that a recording does what the plain run does, to the byte; gives the exit code."""
        plain = self.plain(*args, options=options, stdin=stdin)
        recorded = self.recorded(*args, options=options, stdin=stdin)
        assert recorded.stderr.decode() == plain.stderr.decode()
        assert recorded.stdout.decode() == plain.stdout.decode()
        assert recorded.returncode == plain.returncode
        return plain.returncode
