"""Commands typed wrongly: one sentence, what was meant, exit code 2."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from energy_platform.cli import app
from energy_platform.cli.days import check_backfill
from energy_platform.settings import SettingsError
from energy_platform_tests.cli.test_app import typed

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 25, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["sqll"], "Did you mean 'sql'?"),
        (["delivery", "statu"], "Did you mean 'status'?"),
        (["sql", "--cvs"], "No such option: --cvs"),
        (["delivery", "events", "--lsat", "5"], "No such option: --lsat"),
        (["delivery", "resend", "one"], "'dead_letter'"),
        (["delivery", "reconcile", "--days", "0"], "'--days'"),
        (["demo", "--days", "0"], "'--days'"),
        (["explain"], "Missing argument"),
        (["backfill", "socomec"], "Missing argument"),
        (["backfill", "socomek", "2026-01-01", "2026-01-02"], "did you mean socomec?"),
        (["backfill", "socomec", "01/02/2026", "2026-01-02"], "expected YYYY-MM-DD"),
        (["backfill", "socomec", "1999-12-31", "2026-01-02"], "before 2000-01-01"),
        (["backfill", "socomec", "2026-01-02", "2026-01-01"], "lies before the first"),
        (["explain", "a/b/c"], "Missing argument"),
        (["status", "now"], "unexpected extra argument"),
        (["demo", "--days", "1e3"], "'--days'"),
        (["ui", "--port", "80.5"], "'--port'"),
        (["backfill", "socomec", "2026-11-2", "2026-11-20"], "expected YYYY-MM-DD"),
        (["backfill", "socomec", "2026-01-01", "9999-12-31"], "has not begun yet"),
        (["sql", "select '\udcff'"], "not text"),
        (["explain", "socomec/SN\udce9/x", "2026-01-01"], "not text"),
    ],
)
def test_a_command_typed_wrongly_is_one_sentence(
    words: list[str], part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app.run(words) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert part in told.err
    assert len(told.err.splitlines()) == 1


def test_nothing_typed_is_answered_with_the_commands(capfd: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["delivery"]):
        assert app.run(words) == 2
        told = capfd.readouterr()
        assert told.err.startswith("Usage: energy-platform")
        assert "Commands:" in told.err


def test_h_is_help_and_a_pipe_gets_every_line_of_it_whole(tmp_path: Path) -> None:
    for words in (["-h"], ["--help"], ["delivery", "-h"], ["delivery", "events", "-h"]):
        said = typed(*words, folder=tmp_path)
        assert said.returncode == 0
        assert "Usage: energy-platform" in said.stdout
        assert "..." not in said.stdout.replace("[ARGS]...", "")


def test_the_days_of_a_backfill_are_days_that_can_be_read() -> None:
    check_backfill("all", first="2000-01-01", last="2026-11-25", now=NOW)
    for first, last, part in (
        ("2026-11-26", "2026-11-26", "has not begun yet: today is 2026-11-25"),
        ("20260101", "2026-01-02", "'20260101' is not a day"),
        ("2026-W01-1", "2026-01-02", "is not a day"),
        ("", "2026-01-02", "is not a day"),
        ("2026-02-29", "2026-03-01", "is not a day"),
    ):
        with pytest.raises(SettingsError, match=part):
            check_backfill("socomec", first=first, last=last, now=NOW)
