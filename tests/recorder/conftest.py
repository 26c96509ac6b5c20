"""The fixture of this folder."""

from tests.recorder.processes import scripts

__all__ = ["scripts"]
