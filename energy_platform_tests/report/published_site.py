"""A published file made by hand: every table with the columns of its contract, rows as needed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = Path(__file__).parents[2] / "dbt_models" / "models"


def empty_published(path: Path) -> duckdb.DuckDBPyConnection:
    """Create the file with the tables of the dbt contracts, all empty, and ``about``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(str(path))
    for layer in ("dimensions", "facts", "marts"):
        for file in sorted((MODELS / layer).glob("*.yml")):
            for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]:
                columns = ", ".join(f'"{c["name"]}" {c["data_type"]}' for c in model["columns"])
                connection.execute(f"create table {model['name']} ({columns})")
    connection.execute("create table about (key varchar, value varchar)")
    return connection


def insert(connection: duckdb.DuckDBPyConnection, table: str, **values: Any) -> None:
    """Insert a row; columns that are not named are null."""
    insert_all(connection, table, [values])


def insert_all(
    connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]
) -> None:
    """Insert rows of the same columns at once."""
    names = ", ".join(rows[0])
    marks = ", ".join(f"({', '.join('?' for _ in row)})" for row in rows)
    values = [value for row in rows for value in row.values()]
    connection.execute(f"insert into {table} ({names}) values {marks}", values)


def local_hours(day: date, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """Yield the start of each hour of a local day, as an instant and on the clock."""
    here = ZoneInfo(zone)
    at = datetime.combine(day, datetime.min.time(), tzinfo=here).astimezone(UTC)
    while at.astimezone(here).date() == day:
        yield at, at.astimezone(here).replace(tzinfo=None)
        at += timedelta(hours=1)


class PublishedSite:
    """A site of one main meter and what is put next to it.

    Args:
        connection: A file from `empty_published`.
        site_id: Its id.
        name: Its name.
        zone: Its clock.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        site_id: str = "paris",
        name: str = "Paris office",
        zone: str = "Europe/Paris",
    ) -> None:
        self.connection = connection
        self.site_id = site_id
        self.zone = zone
        self.main = f"acme/{site_id}/E"
        insert(connection, "dim_site", site_id=site_id, site_name=name, timezone=zone, country="FR")
        self.point(self.main, name=f"{name} main", site_term="import")

    def point(self, point_id: str, *, name: str, site_term: str | None = None, **more: Any) -> None:
        """Add an energy point with a device of its own."""
        vendor, serial, _ = point_id.split("/", 2)
        row = {
            "vendor": vendor,
            "device_id": f"{vendor}/{serial}",
            "device_name": name,
            "point_name": "Energy",
            "quantity": "active_energy_import",
            "is_confirmed": True,
        } | more
        insert(
            self.connection,
            "dim_point",
            point_id=point_id,
            site_id=self.site_id,
            site_term=site_term,
            **row,
        )

    def month(self, first: date, *, kwh_an_hour: float = 10.0, status: str = "final") -> None:
        """Add a month of whole days, the same in every hour."""
        after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        days = [first + timedelta(days=n) for n in range((after - first).days)]
        total = sum(self.day(day, kwh_an_hour=kwh_an_hour, status=status) for day in days)
        seconds = float(sum(3600 for day in days for _ in local_hours(day, self.zone)))
        peak = datetime.combine(days[9], datetime.min.time()) + timedelta(hours=11)
        insert(
            self.connection,
            "mart_site_energy_monthly",
            site_id=self.site_id,
            timezone=self.zone,
            local_month=first,
            site_use_wh=total * 1000,
            site_use_kwh=total,
            import_kwh=total,
            expected_s=seconds,
            least_covered_share=1.0,
            points_counted=1,
            points_unknown=0,
            unconfirmed_points=0,
            status=status,
            is_final=status == "final",
            peak_kw=kwh_an_hour * 2,
            peak_at=peak.replace(tzinfo=ZoneInfo(self.zone)),
            peak_local_start=peak,
            peak_is_estimated=False,
            peak_points_share=1.0,
            peak_covered_share=1.0,
            load_factor=0.5,
            base_load_kw=kwh_an_hour,
            base_load_hours=200,
            unoccupied_hours=210,
            occupancy_basis="nights",
        )
        before = (first - timedelta(days=1)).replace(day=1)
        insert(
            self.connection,
            "mart_site_comparison",
            grain="month",
            site_id=self.site_id,
            timezone=self.zone,
            local_day=first,
            site_use_kwh=total,
            status=status,
            previous_start=before,
            previous_use_wh=total * 800,
            previous_status="final",
            previous_comparison="like_for_like",
            previous_change_kwh=total * 0.2,
            previous_change_share=0.25,
            last_year_start=first.replace(year=first.year - 1),
            last_year_comparison="no_data",
            year_months=2,
        )

    def day(self, day: date, *, kwh_an_hour: float = 10.0, status: str = "final") -> float:
        """Add a day of the main meter, and return its kWh."""
        hours = list(local_hours(day, self.zone))
        total = kwh_an_hour * len(hours)
        rows = [
            {
                "point_id": self.main,
                "site_id": self.site_id,
                "timezone": self.zone,
                "hour_start_at": at,
                "local_hour": local,
                "utc_offset_s": 0,
                "local_day": day,
                "energy_wh": kwh_an_hour * 1000,
                "estimated_wh": 0.0,
                "covered_s": 3600.0,
                "expected_s": 3600.0,
                "status": status,
            }
            for at, local in hours
        ]
        insert_all(self.connection, "fct_energy_hourly", rows)
        insert(
            self.connection,
            "fct_energy_daily",
            point_id=self.main,
            site_id=self.site_id,
            timezone=self.zone,
            local_day=day,
            energy_wh=total * 1000,
            covered_s=3600.0 * len(hours),
            expected_s=3600.0 * len(hours),
            status=status,
        )
        insert(
            self.connection,
            "mart_site_energy",
            site_id=self.site_id,
            timezone=self.zone,
            local_day=day,
            site_use_kwh=total,
            status=status,
            least_covered_share=1.0,
            points_counted=1,
            peak_kw=kwh_an_hour * 2,
            refused_kwh=0.0,
        )
        return total


def built(connection: duckdb.DuckDBPyConnection, at: datetime) -> None:
    """Say when the file was built, and that it knows all until then."""
    connection.execute("delete from about")
    for key in ("built_at", "horizon_at"):
        insert(connection, "about", key=key, value=at.isoformat())
