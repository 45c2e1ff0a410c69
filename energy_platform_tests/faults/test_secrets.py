"""No secret in anything a run leaves: the matrix looks after every case, here is the rest."""

from __future__ import annotations

import logging
import sqlite3
import zlib
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.sources.http.logins import RefusedLogins
from energy_platform_tests.end_to_end.installation import Installation, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.schemas import Vendor
    from energy_platform_tests.faults.harness import FaultHarness

WIRE = ("httpx", "httpcore", "urllib3", "keycloak", "requests")
DAY = "2026-03-03"

HARSH: list[tuple[Vendor, str]] = [
    ("socomec", "identity_http_400"),
    ("socomec", "identity_html"),
    ("socomec", "http_403:path=datapoints"),
    ("socomec", "expire_token_after=2 refuse_refresh http_500=0.2"),
    ("belimo", "refuse_login"),
    ("belimo", "identity_cut_body"),
    ("belimo", "http_400:path=/data/history"),
    ("skycentrics", "http_401"),
    ("skycentrics", "html:path=b="),
    ("skycentrics", "redirect"),
]


@pytest.fixture
def loud() -> Iterator[None]:
    """Somebody turned the HTTP libraries' own logging up."""
    levels = {name: logging.getLogger(name).level for name in WIRE}
    for name in WIRE:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(("vendor", "faults"), HARSH, ids=str)
def test_no_secret_is_logged_even_with_the_http_libraries_talking(
    harness: FaultHarness, vendor: Vendor, faults: str, loud: None
) -> None:
    result = harness.judge(vendor, faults)
    assert result.verdict != "WRONG", result.remark


def test_a_leak_would_be_found(harness: FaultHarness) -> None:
    lake = harness.new_lake()
    run = harness.run("socomec", lake=lake)
    assert harness.leaks(run, vendor="socomec", lake=lake) == []
    for name, secret in harness.secrets().items():
        told = run._replace(log=f"{run.log}\nheaders: {secret}")
        assert name in harness.leaks(told, vendor="socomec", lake=lake)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    data = tmp_path_factory.mktemp("secrets")
    with install(data, first_day=DAY) as installation:
        yield installation


def test_no_secret_is_in_dagsters_storage_or_in_any_file_of_a_run(
    platform: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for vendor in ("SOCOMEC", "BELIMO", "SKYCENTRICS"):
        monkeypatch.setenv(f"{vendor}_BACKOFF_S", "0.01")
    logins = RefusedLogins.of(platform.data)
    refused: set[str] = set()
    for vendor, faults in HARSH:
        platform.suite.ask(
            "/faults",
            order={"clear": True, "set": [f"{vendor}:{fault}" for fault in faults.split()]},
        )
        platform.ingest([DAY], vendors=[vendor])
        for refusal in logins.all():
            # So that the next faults are met, too.
            refused.add(refusal.source)
            logins.try_now(refusal.source, now=datetime.now(tz=UTC))
    platform.suite.ask("/faults", order={"clear": True})
    assert refused, "no refused login is remembered"
    assert all(report.success for report in platform.ingest([DAY]))
    secrets = {
        name: value.encode()
        for name, value in platform.suite.environment().items()
        if name.endswith(("_SECRET", "_PASSWORD", "_USERNAME")) and not name.startswith("WATTICS")
    }
    files = [path for path in platform.data.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files), "Dagster's storage is not among the files"
    assert any(path.suffix == ".parquet" for path in files)
    found = {
        (str(path.relative_to(platform.data)), name)
        for path in files
        for name, value in secrets.items()
        if value in content(path)
    }
    assert found == set()


def content(path: Path) -> bytes:
    """Bytes of a file; the rows of Parquet, and what Dagster compresses in its tables."""
    if path.suffix == ".db":
        return path.read_bytes() + b"".join(_unpacked(path))
    if path.suffix != ".parquet":
        return path.read_bytes()
    frame = pl.read_parquet(path, hive_partitioning=False)
    texts = frame.select(pl.col(pl.String).unique().implode())
    return repr(frame.schema).encode() + texts.write_json().encode()


def _unpacked(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'select * from "{table}"'):
                for value in row:
                    if isinstance(value, bytes):
                        with suppress(zlib.error):
                            yield zlib.decompress(value)
