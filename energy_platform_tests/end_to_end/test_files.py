"""Files dropped into a folder, all the way to the marts: once, twice, and corrected."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import openpyxl
import polars as pl
import pytest
from rich.console import Console

from energy_platform.cli.discover import run_discover
from energy_platform.cli.portfolio_changes import OK
from energy_platform.defs.runner import open_runner
from energy_platform.sources.files.tables import RAW_FILES_SAMPLES
from energy_platform_tests.end_to_end.installation import REFRESH, Installation, must_succeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.long

PARIS = ZoneInfo("Europe/Paris")
FIRST = datetime(2026, 3, 24, tzinfo=PARIS)
"""First local midnight: days 24 to 28 are whole, and the clock goes forward in the night to 29."""

DAYS = 6
STEP = timedelta(minutes=15)
INSTANTS = [
    FIRST.astimezone(UTC) + n * STEP
    for n in range(int((datetime(2026, 3, 30, tzinfo=PARIS) - FIRST.astimezone(UTC)) / STEP) + 1)
]


def meter_kwh(at: datetime) -> float:
    """A register in kWh that counts 2 kW, and 3 kW from the 27th on."""
    hours = (at - INSTANTS[0]) / timedelta(hours=1)
    later = max(0.0, (at - datetime(2026, 3, 27, tzinfo=PARIS)) / timedelta(hours=1))
    return 1000 + 2 * hours + later


def meter_csv(*, first: datetime, until: datetime) -> bytes:
    """An export with a header block, decimal commas and local times, as cp1252."""
    lines = ["Datenlogger;DL-4711", "Gerät;Hauptzähler", "", "Zeitstempel;Zählerstand Bezug [kWh]"]
    lines += [
        f"{at.astimezone(PARIS):%d.%m.%Y %H:%M};" + f"{meter_kwh(at):.2f}".replace(".", ",")
        for at in INSTANTS
        if first <= at < until
    ]
    return "\r\n".join(lines).encode("cp1252")


def workshop_xlsx() -> bytes:
    """A workbook: energy of each quarter hour, stamped at its end, and a power."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Export of the workshop"])
    sheet.append([])
    sheet.append(["Time", "Energy", "Power"])
    sheet.append([None, "kWh", "kW"])
    for at in INSTANTS[1:]:
        sheet.append([at.astimezone(PARIS).replace(tzinfo=None), 1.25, 5.0])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def boiler_parquet() -> bytes:
    """A long table with instants: one heat register, in MWh."""
    out = io.BytesIO()
    pl.DataFrame(
        {
            "timestamp": INSTANTS,
            "channel": ["heat"] * len(INSTANTS),
            "value": [50 + 0.001 * n for n in range(len(INSTANTS))],
            "unit": ["MWh"] * len(INSTANTS),
        }
    ).write_parquet(out)
    return out.getvalue()


MAPPINGS = {
    "meter": "timezone: Europe/Paris\nname: Main meter\n",
    "workshop": (
        "timezone: Europe/Paris\n"
        "points:\n"
        "  Energy: {kind: increment, width: 15m, quantity: active_energy_import}\n"
        "  Power: {kind: gauge, quantity: active_power}\n"
    ),
    "boiler": "points:\n  heat: {kind: register, quantity: heating_energy}\n",
}


class FilesInstallation(Installation):
    """A platform whose only source is a folder."""

    @property
    def inbox(self) -> Path:
        return self.data / "inbox"

    def drop(self, logger: str, name: str, data: bytes) -> Path:
        """Put a file into a logger's folder."""
        path = self.inbox / logger / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def follow_until_quiet(self) -> list[str]:
        """Do what the daemon does until nothing is due; return the jobs that ran."""
        ran: list[str] = []
        for _ in range(8):
            self.follow("poll_files")
            reports = self.follow("files_days_due", REFRESH)
            must_succeed(reports)
            if not reports:
                return ran
            ran += [report.job for report in reports]
        raise AssertionError(f"the sensors never come to rest: {ran}")

    def published(self) -> str:
        """Digest of the published file."""
        return hashlib.sha256((self.data / "energy.duckdb").read_bytes()).hexdigest()

    def daily_kwh(self, point: str) -> dict[str, float]:
        """Energy of each local day of a point."""
        rows = self.sql(
            "select local_day::varchar, energy_wh / 1000 from fct_energy_daily "
            f"where point_id = '{point}' and energy_wh is not null order by local_day"
        )
        return {day: round(energy, 3) for day, energy in rows}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilesInstallation]:
    data = tmp_path_factory.mktemp("files")
    kept = dict(os.environ)
    try:
        os.environ.update(
            {
                "ENERGY_PLATFORM_DATA_DIR": str(data),
                "ENERGY_PLATFORM_PORTFOLIO": str(data / "portfolio.yaml"),
                "FILES_FOLDER": str(data / "inbox"),
                "FILES_SETTLE_S": "0",
            }
        )
        with open_runner(data / "dagster") as runner:
            no_fleet: Any = None
            installation = FilesInstallation(
                data=data, runner=runner, suite=no_fleet, world=no_fleet
            )
            for logger, text in MAPPINGS.items():
                installation.drop(logger, "mapping.yaml", text.encode())
            installation.drop("meter", "all.csv", meter_csv(first=INSTANTS[0], until=INSTANTS[-1]))
            installation.drop("workshop", "march.xlsx", workshop_xlsx())
            installation.drop("boiler", "boiler.parquet", boiler_parquet())
            assert run_discover(Console(file=io.StringIO()), yes=True) == OK
            installation.follow_until_quiet()
            yield installation
    finally:
        os.environ.clear()
        os.environ.update(kept)


def test_three_files_are_the_right_energy(platform: FilesInstallation) -> None:
    meter = platform.daily_kwh("files/meter/Zählerstand Bezug [kWh]")
    assert meter["2026-03-24"] == 48
    assert meter["2026-03-27"] == 72
    # The clock went forward: 23 hours.
    assert platform.daily_kwh("files/workshop/Energy")["2026-03-28"] == 120
    assert platform.daily_kwh("files/workshop/Energy")["2026-03-29"] == 115
    assert platform.daily_kwh("files/boiler/heat")["2026-03-25"] == 96


def test_the_inbox_is_empty_and_the_archive_has_every_byte(platform: FilesInstallation) -> None:
    left = [path.name for path in platform.inbox.rglob("*") if path.is_file()]
    assert left == ["mapping.yaml"] * 3
    archived = {
        path.read_bytes()
        for path in (platform.data / "landing" / "files" / "archive").rglob("*")
        if path.is_file()
    }
    assert boiler_parquet() in archived
    assert meter_csv(first=INSTANTS[0], until=INSTANTS[-1]) in archived


def test_the_same_file_again_changes_nothing(platform: FilesInstallation) -> None:
    lake, published = platform.files(), platform.published()
    platform.drop("meter", "again.csv", meter_csv(first=INSTANTS[0], until=INSTANTS[-1]))
    platform.drop("boiler", "boiler.parquet", boiler_parquet())
    assert platform.follow_until_quiet() == []
    assert (platform.files(), platform.published()) == (lake, published)
    assert not (platform.inbox / "meter" / "again.csv").exists()


def test_a_corrected_file_changes_exactly_its_days(platform: FilesInstallation) -> None:
    lake = platform.files()
    before = platform.daily_kwh("files/meter/Zählerstand Bezug [kWh]")
    # The export repeats four days, and differs on one of them.
    text = meter_csv(first=INSTANTS[0], until=INSTANTS[4 * 96]).decode("cp1252")
    assert "25.03.2026 12:00;1072,00" in text
    corrected = text.replace("25.03.2026 12:00;1072,00", "25.03.2026 12:00;1072,10")
    platform.drop("meter", "corrected.csv", corrected.encode("cp1252"))
    platform.follow_until_quiet()
    raw = {path for path, digest in platform.files().items() if lake.get(path) != digest}
    changed = {path for path in raw if "raw_files__samples" in path}
    assert {path.split("day=")[1][:10] for path in changed} == {"2026-03-25"}
    assert platform.daily_kwh("files/meter/Zählerstand Bezug [kWh]") == before
    hourly = platform.sql(
        "select hour_start_at, energy_wh from fct_energy_hourly "
        "where point_id like 'files/meter/%' "
        "and hour_start_at in ('2026-03-25 10:00:00Z', '2026-03-25 11:00:00Z') order by 1"
    )
    assert [round(energy) for _, energy in hourly] == [2100, 1900]
    assert {path.split("day=")[1][:10] for path in raw} == {"2026-03-25"}


def test_the_published_file_says_which_file_a_sample_came_from(
    platform: FilesInstallation,
) -> None:
    frame = platform.lake.read(RAW_FILES_SAMPLES, day="2026-03-25")
    noon = datetime(2026, 3, 25, 11, tzinfo=UTC)
    row = frame.filter(pl.col("at") == noon, pl.col("device_id") == "meter").row(0, named=True)
    assert (row["value"], row["file"]) == (1072.1, "corrected.csv")
    others = frame.filter(pl.col("at") != noon, pl.col("device_id") == "meter")
    assert others["file"].unique().to_list() == ["all.csv"]
