"""The data flow that the weaver finds is the data flow that happens."""

from pathlib import Path

import pytest

from tests.recording import record
from tests.rewrite.flow.taint import oracle, program

PROGRAMS = 80
_DRIVER = """
import random

def choices(seed):
    rng = random.Random(seed)
    left = [60]

    def choose():
        left[0] -= 1
        return left[0] > 0 and rng.random() < 0.55

    return choose

{programs}

kept = []  # no list takes the place of another
for seed, program in enumerate(programs):
    c = [100, 101]
    kept.append(c)
    program(c, choices({first} + seed))
"""
# Of each write: the version of the same location that flows in (0 is the initial value), and how sure that is.
_SOURCES = """
WITH versions AS (
  SELECT events.*, sum(events.kind = 2) OVER (PARTITION BY location_id ORDER BY seq) AS version
  FROM events JOIN locations ON locations.id = location_id WHERE events.kind <= 2 AND label LIKE 'c[%'
)
SELECT source.version, write.certainty, write.location_id, write.version, write.value
FROM versions AS write LEFT JOIN versions AS source ON source.seq = write.source_seq
WHERE write.kind = 2 ORDER BY write.seq
"""


@pytest.mark.parametrize("first", [0, 1000])
def test_sources_are_those_of_a_taint_interpreter(tmp_path: Path, first: int) -> None:
    lines = ["programs = []"]
    for seed in range(first, first + PROGRAMS):
        lines += [program(seed), "programs.append(program)"]
    script = tmp_path / "programs.py"
    script.write_text(_DRIVER.format(programs="\n".join(lines), first=first))
    recording = record(tmp_path / "trace.db", "--keep", "all", script)
    assert recording.exit_code == 0, recording.stderr
    found = recording.query(_SOURCES)
    expected = [each for seed in range(first, first + PROGRAMS) for each in oracle(seed)]
    assert len(found) == len(expected)
    wrong: dict[bool, list[object]] = {True: [], False: []}
    values = {(location, version): value for _, _, location, version, value in found}
    for number, ((version, certainty, location, _, value), (wanted, own)) in enumerate(
        zip(found, expected, strict=True)
    ):
        # what only writes again what was written there is made of nothing
        is_repeated = own and version is None and values[location, wanted] == value
        if version != wanted and certainty != "inferred" and not is_repeated:
            wrong[own].append((number, version, wanted))
    assert wrong[False] == []
    # A value that was written, copied to another variable on some path and written again: docs/weaving.md.
    assert len(wrong[True]) < len(expected) / 20
    assert sum(certainty == "inferred" for _, certainty, *_ in found) < len(found) / 10
