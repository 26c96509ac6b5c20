"""`opcodetrace runs` and `opcodetrace query`, and how errors are told."""

from __future__ import annotations

import csv
import io
import json
import pathlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import click
import pytest
from click.testing import CliRunner, Result

import opcodetrace_cli
from opcodetrace.store.database import Database
from opcodetrace.store.queries import KEPT
from opcodetrace.trace.event import Opaque
from opcodetrace.trace.finding import Tally
from opcodetrace_cli import COMMANDS, main, query
from tests.traces import FINDINGS, INFO, OUTCOME, lost_increment, make_trace


@pytest.fixture
def database(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPCODETRACE_DB", raising=False)
    path = tmp_path / "opcodetrace.db"
    with Database.open(path, create=True) as opened:
        opened.add_run(INFO, OUTCOME, make_trace(), FINDINGS)
        nasty = make_trace(lost_increment(Opaque("\x1b[31mRed\n[bold]", 1)))
        opened.add_run(replace(INFO, script="other.py", gil=False), replace(OUTCOME, exit_code=None), nasty, FINDINGS)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


class TestRuns:
    def test_a_row_for_each(self, database: pathlib.Path) -> None:
        lines = run("runs").stdout.splitlines()
        assert lines[0].split() == [
            *("run", "when", "script", "python", "exit", "functions", "threads", "events", "switches", "found", "time")
        ]
        assert lines[2].split()[0] == "1"
        assert " ".join(lines[2].split()[3:]) == "bank.py --fast ü 3.13.0 3 1 of 2 2 4 3 1 to 2 lost updates 1.25s"
        assert " ".join(lines[3].split()[6:]) == "3.13.0t ? 1 of 2 2 4 - 1 to 2 lost updates 1.25s"

    def test_80_columns_are_enough(self, database: pathlib.Path) -> None:
        from rich.console import Console

        from opcodetrace_cli.runs import _table

        with Database.open(database) as opened:
            stored = [
                replace(each, id=123, stored=12_345_678, switches=98_765, found=(Tally("lost update", 5, 5),))
                for each in opened.runs()
            ]
        console = Console(width=80, file=io.StringIO())
        console.print(_table(stored, narrow=True))
        assert isinstance(console.file, io.StringIO)
        first = console.file.getvalue().splitlines()[1]
        assert first.split()[0] == "123"
        assert first.split()[3:] == ["bank.py", "3.13", "3", "2", "12.3M", "99k", "5", "1.25s"]

    def test_none(self, tmp_path: pathlib.Path) -> None:
        Database.open(tmp_path / "new.db", create=True).close()
        result = run("runs", "-d", str(tmp_path / "new.db"))
        assert (result.stdout, result.exit_code) == ("", 0)
        assert "holds no runs" in result.stderr


class TestQuery:
    SQL = "SELECT 1 AS a, NULL AS b, x'00ff' AS c, 1e999 AS d, 'e\te' AS e, 'Ü\n[b]' AS f"

    def test_table(self, database: pathlib.Path) -> None:
        lines = run("query", "SELECT seq, thread, value FROM accesses WHERE run_id = 1").stdout.splitlines()
        assert [line.split() for line in lines] == [
            ["seq", "thread", "value"],
            [lines[1]],
            *(["1", "0", "0"], ["3", "1", "0"], ["6", "0", "1"], ["8", "1", "1"]),
        ]

    def test_a_table_steers_no_terminal(self, database: pathlib.Path) -> None:
        text = run("query", "SELECT value FROM accesses WHERE run_id = 2 AND kind = 'write'").stdout
        assert "<\\x1b[31mRed\\n[bold] #1>" in text
        assert "\x1b" not in text

    def test_a_wide_table_is_not_cut_in_a_pipe(self, database: pathlib.Path) -> None:
        assert "x" * 3000 in run("query", f"SELECT '{'x' * 3000}' AS long").stdout

    @pytest.mark.parametrize("form", ["table", "csv", "tsv", "json"])
    def test_the_first_rows_come_at_once(self, database: pathlib.Path, form: str) -> None:
        # GIVEN a query that has no end
        sql = "WITH RECURSIVE n (a, b) AS (SELECT 7, 'x' UNION ALL SELECT a + 1, b FROM n) SELECT a, b FROM n"
        with Database.open(database) as trace_file, trace_file.ask(sql) as answer:
            # THEN what is written first is written all the same
            texts = query.WRITERS[form](answer)
            written = next(texts) + next(texts)
        assert "7" in written and "8" in written

    def test_pages_of_a_table_stand_in_line(self, database: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(query, "PAGE", 2)
        values = "(1, 'longer', 'a'), (22, 'b', 'b'), (3, 'b', 'c'), (44, 'c', 'longest'), (5, 'd', 'e')"
        lines = run(
            "query", f"SELECT column1 AS n, column2 AS t, column3 AS u FROM (VALUES {values})"
        ).stdout.splitlines()
        assert [line.split() for line in lines if "─" not in line] == [
            ["n", "t", "u"],
            *(["1", "longer", "a"], ["22", "b", "b"], ["3", "b", "c"], ["44", "c", "longest"], ["5", "d", "e"]),
        ]
        (header, *rows) = [line for line in lines if "─" not in line]
        place = header.index("t")
        assert all(row[place - 1] == " " != row[place] for row in rows)
        assert {len(row[:place].rstrip()) for row in rows} == {2}

    @pytest.mark.parametrize("ending", ["", "\n;", "\n; -- of them"])
    @pytest.mark.parametrize(
        ("rows", "end"), [(10, "10"), (11, "... and 1 more rows;"), (1_234_510, "... and 1,234,500 more")]
    )
    def test_a_terminal_s_table_is_cut(
        self, database: pathlib.Path, monkeypatch: pytest.MonkeyPatch, rows: int, end: str, ending: str
    ) -> None:
        monkeypatch.setattr(query, "TERMINAL_ROWS", 10)
        monkeypatch.setattr("sys.stdout", mock.Mock(isatty=lambda: True, wraps=sys.stdout))
        sql = (
            f"WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < {rows}) SELECT a FROM n -- all"
        )
        with Database.open(database) as trace_file, trace_file.ask(f"{sql}{ending}") as answer:
            lines = "".join(query.WRITERS["table"](answer)).splitlines()
        assert [line.split()[0] for line in lines[2:12]] == [str(number) for number in range(1, 11)]
        assert lines[-1].startswith(end) or lines[-1].split() == [end]
        assert len(lines) == 12 + (rows > 10)

    def test_json(self, database: pathlib.Path) -> None:
        (row,) = json.loads(run("query", self.SQL, "--format", "json").stdout)
        assert row == {"a": 1, "b": None, "c": "x'00ff'", "d": "inf", "e": "e\te", "f": "Ü\n[b]"}
        assert json.loads(run("query", "SELECT * FROM runs WHERE 0", "--format", "json").stdout) == []

    def test_csv(self, database: pathlib.Path) -> None:
        names, row = csv.reader(io.StringIO(run("query", self.SQL, "--format", "csv").stdout))
        assert names == list("abcdef")
        assert row == ["1", "", "x'00ff'", "inf", "e\te", "Ü\n[b]"]

    def test_tsv(self, database: pathlib.Path) -> None:
        names, row = run("query", self.SQL, "--format", "tsv").stdout.splitlines()
        assert names.split("\t") == list("abcdef")
        assert row.split("\t") == ["1", "", "x'00ff'", "inf", "e\\te", "Ü\\n[b]"]

    @pytest.mark.parametrize("name", KEPT)
    def test_kept_queries(self, database: pathlib.Path, name: str) -> None:
        assert run("query", name, "--run", "1").exit_code == 0
        assert "SELECT" in run("query", name, "--show").stdout

    def test_kept_queries_are_listed(self) -> None:
        assert [line.split()[0] for line in run("query").stdout.splitlines()] == list(KEPT)

    def test_run(self, database: pathlib.Path) -> None:
        sql = "SELECT DISTINCT run_id FROM accesses WHERE run_id = :run"
        assert run("query", sql, "--format", "csv").stdout == "run_id\n2\n"
        assert run("query", sql, "--format", "csv", "--run", "1").stdout == "run_id\n1\n"

    @pytest.mark.parametrize(
        ("arguments", "exit_code", "text"),
        [
            (["query", "nothing"], 2, "opcodetrace: there is no kept query 'nothing'; there are findings"),
            (["query", "SELECT * FROM nowhere"], 2, "opcodetrace: cannot answer the query: no such table: nowhere\n"),
            (["query", "DELETE FROM runs"], 2, "opcodetrace: cannot answer the query: not authorized"),
            (["query", "threads", "--run", "9"], 2, "holds no run 9; it holds runs 1 to 2\n"),
            (["runs", "-d", "missing.db"], 74, "opcodetrace: there is no trace file missing.db; record a run first"),
            (["runs", "-d", "."], 74, "opcodetrace: . is a folder"),
            (["query", "threads", "--run", "0"], 2, "0 is not in the range"),
            (["fly"], 2, "No such command 'fly'"),
        ],
    )
    def test_errors(self, database: pathlib.Path, arguments: list[str], exit_code: int, text: str) -> None:
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (exit_code, "")
        assert text in result.stderr
        if result.stderr.startswith("opcodetrace:"):
            assert result.stderr.count("\n") == 1

    def test_the_environment_names_the_file(self, database: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        database.rename(database.with_name("other.db"))
        monkeypatch.setenv("OPCODETRACE_DB", "other.db")
        assert run("runs").exit_code == 0


class TestCommands:
    def test_an_error_of_ours_is_one_line(self, database: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> Iterator[str]:
            raise KeyError("a\nb")

        monkeypatch.setitem(query.WRITERS, "csv", fails)
        result = run("query", "threads", "--format", "csv")
        assert result.exit_code == 70
        assert result.stderr.startswith("opcodetrace: internal error at test_command_line.py:")
        assert result.stderr.count("\n") == 1

    def test_an_error_of_ours_is_shown_whole_if_that_is_asked_for(
        self, database: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object) -> str:
            raise KeyError("of ours")

        monkeypatch.setitem(query.WRITERS, "csv", fails)
        monkeypatch.setenv("OPCODETRACE_TRACEBACK", "1")
        result = run("query", "threads", "--format", "csv")
        lines = result.stderr.splitlines()
        assert result.exit_code == 70
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[-2:-1] == ["KeyError: 'of ours'"]
        assert lines[-1].startswith("opcodetrace: internal error at test_command_line.py:")

    def test_what_cannot_be_loaded_stops_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(opcodetrace_cli, "COMMANDS", COMMANDS | {"record": "opcodetrace_cli.nowhere:record"})
        assert "(cannot be loaded: No module named 'opcodetrace_cli.nowhere')" in " ".join(run("--help").stdout.split())
        result = run("record", "--run", "5", "x.py")
        assert (result.exit_code, result.stderr.count("\n")) == (70, 1)

    @pytest.mark.parametrize("name", ["runs", "query"])
    def test_every_command_has_a_help(self, name: str) -> None:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.help

    def test_version(self) -> None:
        assert run("--version").stdout.startswith("opcodetrace ")
