"""What a session of PostgreSQL is worth after an error, on a real server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from energy_platform.lake.database import is_outage, open_database
from energy_platform_tests.databases import POSTGRES, postgresql_database

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.postgres

ONE = sa.text("SELECT 1")


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    with postgresql_database("database") as url:
        found = open_database(url, name="ledger", setting=POSTGRES)
        yield found
        found.dispose()


def begin_a_long_command(connection: sa.Connection) -> None:
    """Leave a session as one that was ended while its answers were read."""
    driver: Any = connection.connection.driver_connection
    driver.pgconn.send_query(b"SELECT pg_sleep(30)")


def end_own_session_in_a_batch(connection: sa.Connection) -> None:
    connection.execute(
        sa.text("SELECT pg_terminate_backend(pg_backend_pid()), :number"),
        [{"number": str(number)} for number in range(3)],
    )


@pytest.mark.parametrize("break_off", [begin_a_long_command, end_own_session_in_a_batch])
def test_a_session_that_does_not_come_to_rest_is_given_up_without_a_trace_back(
    engine: sa.Engine, break_off: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(sa.exc.DBAPIError) as error, engine.begin() as connection:  # noqa: PT012
        break_off(connection)
        connection.execute(ONE)
    assert is_outage(error.value)
    assert [one.message for one in caplog.records if one.levelno >= logging.ERROR] == []
    with engine.begin() as connection:
        assert connection.scalar(ONE) == 1


def test_a_pooled_session_in_the_middle_of_a_command_is_not_used_again(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
    driver.pgconn.send_query(b"SELECT pg_sleep(30)")
    with engine.connect() as connection:
        assert connection.scalar(ONE) == 1


def test_a_refused_statement_costs_no_session(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        session = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        with pytest.raises(sa.exc.ProgrammingError) as error:
            connection.execute(sa.text("SELECT no_such_column"))
        assert not is_outage(error.value)
        connection.rollback()
        assert connection.scalar(sa.text("SELECT pg_backend_pid()")) == session
