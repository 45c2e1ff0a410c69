"""Checks of what runs: Dagster's home, the UI and daemon, the polls, the databases."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import sqlalchemy

from energy_platform.doctor.check_result import fail, ok, warn
from energy_platform.installation.dagster_database import (
    DagsterDatabaseError,
    require_dagster_database,
)
from energy_platform.installation.run_locks import ui_is_running
from energy_platform.installation.troubled_runs import troubled_runs
from energy_platform.installation.upgrade import restart_note
from energy_platform.lake.catalogue_owner import why_foreign
from energy_platform.lake.database import DatabaseUrlError, open_database

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import SecretStr

    from energy_platform.doctor.check_result import CheckResult


def check_dagster(home: Path) -> list[CheckResult]:
    """Check Dagster's home and whether its UI and daemon run.

    Args:
        home: Folder of the instance, such as ``data/dagster``.
    """
    findings: list[CheckResult] = []
    configured = os.environ.get("DAGSTER_HOME")
    if configured and Path(configured).absolute() != home.absolute():
        findings.append(
            warn(
                "dagster",
                "",
                f"DAGSTER_HOME is {configured}, the platform's is {home}",
                "Unset DAGSTER_HOME; `energy-platform ui` sets its own",
            )
        )
    if not home.exists():
        return [
            *findings,
            ok("dagster", "", f"{home} does not exist yet; `energy-platform ui` makes it"),
        ]
    if not os.access(home, os.W_OK | os.X_OK):
        return [
            *findings,
            fail("dagster", "", f"{home} cannot be written", "Give this user the right to write"),
        ]
    if not (home / "dagster.yaml").exists():
        findings.append(
            warn(
                "dagster",
                "",
                f"{home} has no dagster.yaml",
                "Start `energy-platform ui`, which writes it",
            )
        )
    if ui_is_running(home):
        if why := restart_note(home):
            advice = "Stop `energy-platform ui` and start it again"
            return [*findings, warn("dagster", "", why, advice)]
        return [*findings, ok("dagster", "", "the UI and daemon are running")]
    return [
        *findings,
        warn(
            "dagster",
            "",
            "the UI and daemon are not running: no schedule reads, no poll is made",
            "Start `energy-platform ui`, or the service",
        ),
    ]


def check_runs(home: Path, *, url: SecretStr | None, now: datetime) -> list[CheckResult]:
    """Check that no run died, hangs or waits for nobody.

    Args:
        home: Folder of the instance.
        url: The database of Dagster's records; None for SQLite in that folder.
        now: The present.
    """
    try:
        found = troubled_runs(home, url=url, now=now)
    except DagsterDatabaseError as error:
        return [warn("runs", "", str(error))]
    return [
        warn(
            "runs",
            one.job,
            f"run {one.run_id[:8]} {one.state} since {one.since:%Y-%m-%d %H:%M} UTC: {one.why}",
            "See the run in the UI; `energy-platform backfill` or `ui` goes on with its work",
        )
        for one in found
    ] or [ok("runs", "", "none died, hangs or waits for nobody")]


def check_dagster_database(url: SecretStr | None, *, home: Path) -> CheckResult:
    """Check that the database of Dagster's records answers and is Dagster's own.

    Args:
        url: Its SQLAlchemy URL; None for SQLite in the instance's folder.
        home: Folder of the instance.
    """
    if url is None:
        return ok("dagster", "records", f"SQLite in {home}")
    try:
        require_dagster_database(url, home=home)
    except DagsterDatabaseError as error:
        return fail("dagster", "records", str(error))
    return ok("dagster", "records", "the postgresql database answers")


def check_database(
    name: Literal["ledger", "catalogue"], url: SecretStr | None, *, data_dir: Path
) -> CheckResult:
    """Check that the database of the ledger or of the catalogue answers.

    Args:
        name: Which one.
        url: Its SQLAlchemy URL; None for SQLite in the data folder.
        data_dir: The data folder.
    """
    if url is None:
        return ok(name, "", f"SQLite in {data_dir}")
    setting = f"ENERGY_PLATFORM_{name.upper()}_URL"
    advice = "Check the URL, and that its driver is installed"
    try:
        engine = open_database(url.get_secret_value(), name=name, setting=setting)
    except DatabaseUrlError as error:
        return fail(name, "", str(error), advice)
    try:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))
            if name == "catalogue" and (why := why_foreign(connection, data_dir, setting=setting)):
                return fail(name, "", why)
    except sqlalchemy.exc.SQLAlchemyError as error:
        # The texts of drivers may hold the URL with its password.
        message = f"the database of {setting} does not answer ({type(error).__name__})"
        return fail(name, "", message, advice)
    finally:
        engine.dispose()
    return ok(name, "", f"the {engine.dialect.name} database answers")
