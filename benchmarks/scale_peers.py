"""Energy of 10,000 registers in SQL: the platform, DuckDB alone, and pandas, in the same run.

    python -m benchmarks.scale_peers
    python -m benchmarks.scale_peers --registers 1000 --days 90 --only ours --only duckdb

The same raw days. DuckDB alone and pandas do what a script of a page does: read all of them, take
the differences of each register, and write energy by quarter-hour, hour, local day and month as
Parquet, sorted by point. They judge no reading, know no meter change, keep no status and test
nothing, and they have no way but to begin again when a day lands. The platform is asked for its
first load, and for the day that lands after it; its daily figures must be those of either peer.

Time, processor time and memory are measured as in ``benchmarks.scale``.
"""

# ruff: noqa: T201, S608

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import polars as pl

from benchmarks.scale import FIRST_DAY, RawDays, run_steps, work, write_portfolio
from energy_platform.days import day_range
from energy_platform.lake.lake import Lake
from energy_platform.memory import default_memory, duckdb_limit
from energy_platform.portfolio import load_portfolio
from energy_platform.settings import PlatformSettings
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS: Final = ("ours", "duckdb", "pandas")
DAILY: Final = "daily.parquet"
TOLERANCE_WH: Final = 1e-3
_RAW_FILES: Final = f"lake/{RAW_SOCOMEC_DATAPOINTS.name}/day=*/*.parquet"
"""The pattern of the raw day files in the data folder."""

_POINT: Final = (
    "'socomec/' || serial_number || '/' || item_type || '|' || item_index || '|' || service_id"
)

_SUMS: Final = {
    "hourly": "date_trunc('hour', interval_start)",
    "daily": "local_day",
    "monthly": "date_trunc('month', local_day)",
}


def write_points(folder: Path) -> None:
    """Write the zone of each point, which the peers have no portfolio to know from."""
    portfolio = load_portfolio(folder / "portfolio.yaml")
    zones = {
        one.point_id: portfolio.sites[one.site_id].timezone for one in portfolio.points.values()
    }
    frame = pl.DataFrame({"point_id": [*zones], "timezone": [*zones.values()]})
    frame.write_parquet(folder / "points.parquet")


def with_duckdb(folder: Path) -> Iterator[dict[str, Any]]:
    """Do the work with DuckDB and nothing else."""
    memory = PlatformSettings().memory or default_memory()
    out = folder / "duckdb"
    out.mkdir(exist_ok=True)
    with duckdb.connect(str(out / "work.duckdb")) as db:
        db.execute(f"set memory_limit = '{duckdb_limit(memory)}'")
        db.execute("set timezone = 'UTC'")
        yield {"step": "start"}
        db.execute(f"""
            create or replace table quarter_hours as
            with steps as (
                select
                    {_POINT} as point_id,
                    lag("at") over (partition by point_id order by "at") as interval_start,
                    value - lag(value) over (partition by point_id order by "at") as energy_wh
                from read_parquet('{folder / _RAW_FILES}')
            )
            select
                point_id,
                timezone,
                interval_start,
                timezone(timezone, interval_start) as local_start,
                cast(local_start as date) as local_day,
                energy_wh,
                energy_wh / 1000 as energy_kwh
            from steps join read_parquet('{folder / "points.parquet"}') using (point_id)
            where interval_start is not null
        """)
        _copy(db, "from quarter_hours order by point_id, interval_start", out / "15min.parquet")
        for name, period in _SUMS.items():
            query = f"""
                select point_id, {period} as period, sum(energy_wh) as energy_wh
                from quarter_hours group by all order by all
            """
            _copy(db, query, out / f"{name}.parquet")
    yield {"step": "marts"}


def _copy(db: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    db.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd)")


def with_pandas(folder: Path) -> Iterator[dict[str, Any]]:
    """Do the work with pandas, texts as categories, without which it needs twice the memory."""
    import pandas as pd  # noqa: PLC0415 - the others run without it

    out = folder / "pandas"
    out.mkdir(exist_ok=True)
    yield {"step": "start"}
    columns = ["serial_number", "item_type", "item_index", "service_id", "at", "value"]
    parts = []
    for path in sorted(folder.glob(_RAW_FILES)):
        part = pd.read_parquet(path, columns=columns)
        names = part["serial_number"].str.cat(part["item_type"], sep="/")
        names = names.str.cat([part["item_index"], part["service_id"]], sep="|")
        part["point_id"] = "socomec/" + names
        parts.append(part[["point_id", "at", "value"]])
    points = pd.read_parquet(folder / "points.parquet").set_index("point_id")["timezone"]
    known = pd.CategoricalDtype(sorted(points.index))
    frame = pd.concat([part.astype({"point_id": known}) for part in parts], ignore_index=True)
    del parts
    frame = frame.sort_values(["point_id", "at"], ignore_index=True)
    grouped = frame.groupby("point_id", observed=True, sort=False)
    frame["energy_wh"] = grouped["value"].diff()
    frame["interval_start"] = grouped["at"].shift(1)
    frame = frame.dropna(subset=["energy_wh"]).drop(columns=["at", "value"])
    frame["timezone"] = frame["point_id"].map(points).astype("category")
    frame["energy_kwh"] = frame["energy_wh"] / 1000
    local = [
        one["interval_start"].dt.tz_convert(zone).dt.tz_localize(None)
        for zone, one in frame.groupby("timezone", observed=True)
    ]
    frame["local_start"] = pd.concat(local)
    frame["local_day"] = frame["local_start"].dt.normalize()
    frame.to_parquet(out / "15min.parquet", compression="zstd", index=False)
    periods = {
        "hourly": frame["interval_start"].dt.floor("h"),
        "daily": frame["local_day"],
        "monthly": frame["local_day"].dt.to_period("M").dt.to_timestamp(),
    }
    for name, period in periods.items():
        keys = [frame["point_id"], period.rename("period")]
        sums = frame.groupby(keys, observed=True)["energy_wh"].sum().reset_index()
        sums.to_parquet(out / f"{name}.parquet", compression="zstd", index=False)
    yield {"step": "marts"}


def differences(folder: Path, peer: str) -> str:
    """Return how many daily figures a peer and the platform both have, and how many differ.

    The platform refuses a step that is far above what a register showed before: a few of the
    registers, which rise at random, begin like that, and their first day is disputed.
    """
    ours = folder / "marts" / "fct_energy_daily" / "*" / "*.parquet"
    both, disputed, differing = duckdb.execute(f"""
        select
            count(*),
            count(*) filter (ours.status = 'disputed'),
            count(*) filter (
                ours.status <> 'disputed'
                and abs(ours.energy_wh - peer.energy_wh) > {TOLERANCE_WH}
            )
        from read_parquet('{ours}') as ours
        join read_parquet('{folder / peer / DAILY}') as peer
            on ours.point_id = peer.point_id and ours.local_day = cast(peer.period as date)
    """).fetchall()[0]
    return f"{both:,} daily figures as ours: {differing} differ, {disputed} are disputed by ours"


def report(name: str, *, folder: Path, memory: str | None, peer: str, days: int) -> None:
    """Run the work of a peer; print a line."""
    program = ("benchmarks.scale_peers", "--peer", peer)
    _, whole = run_steps(folder=folder, memory=memory, program=program)
    print(f"{name:<28} {whole}  {whole.seconds / days:7.2f} s/day", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--registers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--memory", help="ENERGY_PLATFORM_MEMORY; pandas heeds no limit")
    parser.add_argument("--only", action="append", choices=PEERS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peer:
        doing = {"ours": work, "duckdb": with_duckdb, "pandas": with_pandas}[asked.peer]
        for said in doing(asked.folder):
            print(json.dumps(said), flush=True)
        return
    wanted = asked.only or PEERS
    last = (FIRST_DAY + timedelta(days=asked.days)).isoformat()
    *first, more = day_range(FIRST_DAY.isoformat(), last)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_portfolio(folder / "portfolio.yaml", registers=asked.registers)
        write_points(folder)
        raw = RawDays(Lake(folder / "lake"), registers=asked.registers)
        for day in first:
            raw.write(day)

        def measured(name: str, peer: str, *, days: int) -> None:
            if peer in wanted:
                report(name, folder=folder, memory=asked.memory, peer=peer, days=days)

        measured(f"ours, {len(first)} days", "ours", days=len(first))
        raw.write(more)
        measured("ours, one day more", "ours", days=1)
        every = len(first) + 1
        for peer in PEERS[1:]:
            measured(f"{peer}, all {every} days", peer, days=every)
            if peer in wanted and "ours" in wanted:
                print(f"{'':<28} {differences(folder, peer)}", flush=True)


if __name__ == "__main__":
    main()
