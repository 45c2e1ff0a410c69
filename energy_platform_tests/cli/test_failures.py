"""Every error is one sentence and an exit code; a trace-back goes to a file, secrets nowhere."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
import sqlalchemy as sa

from energy_platform.cli import app
from energy_platform.cli.failures import EXPECTED, ending_of
from energy_platform.sources.http.errors import VendorError
from energy_platform_tests.cli.test_app import typed

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("SOCOMEC_", "WATTICS_", "ENERGY_PLATFORM_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def raised(error: BaseException) -> BaseException:
    """Return an error with a trace, as one that was raised."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize("kind", EXPECTED)
def test_our_own_errors_are_their_message_and_exit_code_2(kind: type[Exception]) -> None:
    words = "the day 2026-01-01 is held: remove the file"
    about = {"vendor": "socomec", "endpoint": "datapoints"} if kind is VendorError else {}
    ending = ending_of(kind(words, **about))
    assert ending.code == 2
    assert words in ending.message


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "data/lake/x.parquet"),
        OSError(errno.ENOSPC, "Error writing bytes to file"),
        duckdb.IOException('IO Error: Could not write "/x/data/y": No space left on device'),
        pl.exceptions.ComputeError("No space left on device (os error 28)"),
        sa.exc.OperationalError("insert", {}, sqlite3.OperationalError("database or disk is full")),
    ],
)
def test_a_full_disk_is_named_with_what_to_do(error: Exception) -> None:
    ending = ending_of(error)
    assert ending.code == 2
    assert ending.message.startswith("the disk of /")
    assert "Free some space" in ending.message
    assert "\n" not in ending.message
    named = getattr(error, "filename", None)
    assert named is None or named in ending.message


def test_a_database_that_refuses_is_told_without_the_statement() -> None:
    refused = sqlite3.OperationalError("database is locked")
    ending = ending_of(sa.exc.OperationalError("SELECT secret FROM streams", {}, refused))
    assert (ending.code, "SELECT" in ending.message) == (2, False)
    assert "database is locked" in ending.message


def test_a_missing_right_names_the_file() -> None:
    ending = ending_of(PermissionError(errno.EACCES, "Permission denied", "/data/ORIGIN"))
    assert (ending.code, ending.message.startswith("/data/ORIGIN: permission denied")) == (2, True)


def test_ctrl_c_is_130_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("energy_platform.cli.sql.run_sql", stopped)
    assert app.run(["sql"]) == 130
    told = capfd.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert "run it again" in told.err


def test_a_password_in_a_databases_words_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_LEDGER_URL", f"postgresql://u:{SECRET}@127.0.0.1:1/x")
    refused = RuntimeError(f"cannot connect with password={SECRET}")
    ending = ending_of(sa.exc.OperationalError("select 1", {}, refused))
    assert ending.code == 2
    assert SECRET not in ending.message


def test_what_nobody_expected_is_one_sentence_and_a_report_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCOMEC_PASSWORD", SECRET)
    ending = ending_of(raised(ZeroDivisionError(f"with {SECRET}\nand more")))
    assert ending.code == 70
    assert ending.message.startswith("unexpected ZeroDivisionError: with ***; its trace is in ")
    assert "please report" in ending.message
    (report,) = (tmp_path / "data" / "logs").iterdir()
    text = report.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "in raised" in text
    assert SECRET not in text
    assert report.stat().st_mode & 0o077 == 0


def test_a_report_that_cannot_be_written_stops_no_message(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way", encoding="utf-8")
    ending = ending_of(raised(ZeroDivisionError("x")))
    assert ending.code == 70
    assert "could not be written" in ending.message


def test_a_command_that_breaks_ends_so_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> int:
        raise AssertionError("never mind")

    monkeypatch.setattr("energy_platform.cli.sql.run_sql", broken)
    assert app.run(["sql"]) == 70
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: unexpected AssertionError: never mind; its trace is in ")
    assert len(told.err.splitlines()) == 1


@pytest.mark.parametrize("command", [["status"], ["delivery", "status"], ["delivery", "letters"]])
def test_a_ledger_that_is_no_database_is_one_sentence(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sqlite").write_text("words", encoding="utf-8")
    (tmp_path / "portfolio.yaml").write_text(
        "version: 1\n"
        "sites: [{id: a, name: A, timezone: Europe/Paris}]\n"
        "devices:\n"
        "  - {vendor: socomec, serial: S, site: a, name: D, points: [\n"
        "    {key: k, name: P, quantity: active_energy_import, unit: Wh, max_power_w: none}]}\n"
        "streams:\n"
        "  - {id: s, kind: electricity, site: a, credential: default, interval: 15m,\n"
        "     reading: cumulative, fields: {pC_1: socomec/S/k}}\n",
        encoding="utf-8",
    )
    said = typed(*command, folder=tmp_path)
    assert said.returncode == 2
    # `status` and `delivery` tell on standard output what they cannot show.
    told = said.stdout + said.stderr
    assert "ledger.sqlite cannot be used as a SQLite database (file is not a database)" in told
    assert len(told.splitlines()) == 1
    assert (tmp_path / "data" / "ledger.sqlite").read_text(encoding="utf-8") == "words"
