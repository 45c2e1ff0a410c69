"""What sensors cost on ten years of 10,000 points: processor time of each tick, share of a core.

    python -m benchmarks.ticks
    python -m benchmarks.ticks --points 1000 --days 365 --minutes 12
    python -m benchmarks.ticks --folder /tmp/ten-years    # made once, ticked again

Two processes show it. The first makes an installation (a portfolio with a register per device, two
sources with credentials, streams that have got all, a published file that follows) and tells what
the portfolio costs. The second is what the code server is: it ticks every sensor at its interval,
in real time, and says for each what the first tick, the median and all of them took.

The lake's days are made by a real refresh of the first three; the others are hard links to the
third, which ticks cannot tell from files of their own: they read the catalogue, no Parquet file.
The kernel (inotify) counts the files opened. Polls are not measured: they wait for a vendor.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import polars as pl

from energy_platform.days import DAY, day_bounds, day_of, day_range, microseconds
from energy_platform.defs.resources import Platform
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.raw_days import land_day
from energy_platform.portfolio import load_portfolio
from energy_platform.refresh import refresh
from energy_platform.schemas import CORE_TABLES
from energy_platform.settings import PlatformSettings
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from energy_platform.lake.lake import Lake

SOURCES: Final = {"socomec": RAW_SOCOMEC_DATAPOINTS, "belimo": RAW_BELIMO_SAMPLES}

ENVIRONMENT: Final = {
    "WATTICS_BASE_URL": "http://127.0.0.1:9/",
    "WATTICS_USERNAME": "user",
    "WATTICS_PASSWORD": "password",
    "SOCOMEC_CLIENT_ID": "client",
    "SOCOMEC_CLIENT_SECRET": "secret",
    "BELIMO_CLIENT_ID": "client",
    "BELIMO_CLIENT_SECRET": "secret",
    "BELIMO_USERNAME": "user",
    "BELIMO_PASSWORD": "password",
}

MADE: Final = 3
"""Days that are refreshed; the last of them stands for all that follow."""


def write_portfolio(path: Path, *, points: int, streams: int) -> None:
    """Write a portfolio as ``discover`` does: block style, a register per device."""
    lines = ["version: 1", "sites:"]
    for number in range(50):
        lines += [
            f"  - id: site-{number}",
            f"    name: Site {number}",
            "    timezone: Europe/Paris",
        ]
    lines.append("devices:")
    for number in range(points):
        lines += [
            "  - vendor: socomec",
            f"    serial: SN{number:06d}",
            f"    site: site-{number % 50}",
            f"    name: Meter {number}",
            "    role: sub",
            "    max_power_w: none",
            "    points:",
            '      - key: "Global|0|1"',
            "        name: Active energy",
            "        quantity: active_energy_import",
            "        unit: Wh",
        ]
    lines.append("streams:")
    for number in range(streams):
        lines += [
            f"  - id: stream-{number}",
            "    kind: electricity",
            f"    site: site-{number % 50}",
            "    credential: default",
            "    interval: 15m",
            "    reading: cumulative",
            f'    fields: {{pC_1: "socomec/SN{number % points:06d}/Global|0|1"}}',
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def land(lake: Lake, day: str, *, points: int) -> None:
    """Land a closed day of one reading of some registers, and an empty one of the other source."""
    start, end = day_bounds(day)
    numbers = pl.int_range(points, eager=True).alias("number")
    text = pl.col("number").cast(pl.String).str.zfill(6)
    made = pl.DataFrame(numbers).select(
        device_uuid=pl.lit("u") + text,
        item_type=pl.lit("Global"),
        item_index=pl.lit("0"),
        service_id=pl.lit("1"),
        at=pl.lit(start + timedelta(hours=12)),
        value=pl.lit(1000.0),
        serial_number=pl.lit("SN") + text,
    )
    table = RAW_SOCOMEC_DATAPOINTS
    rows = made.with_columns(
        pl.lit(None).alias(one) for one in table.schema if one not in made.columns
    )
    frame = rows.select(pl.col(one).cast(dtype) for one, dtype in table.schema.items())
    land_day(lake, table, day=day, frame=frame, complete_until=end, closed=True)
    other = RAW_BELIMO_SAMPLES
    land_day(lake, other, day=day, frame=other.empty(), complete_until=end, closed=True)


def make_lake(platform: Platform, *, days: list[str], points: int, now: datetime) -> int:
    """Make ten years of days; return how many files."""
    lake = platform.lake
    for day in days[:MADE]:
        # Later days are empty, so that each hands on the state that it found, as all links say.
        land(lake, day, points=points if day == days[0] else 0)
    refresh(lake, portfolio=platform.portfolio())
    files = 0
    for table in (*SOURCES.values(), *CORE_TABLES):
        model = lake.path(table, day=days[MADE - 1])
        for day in days[MADE:]:
            path = lake.path(table, day=day)
            path.parent.mkdir(parents=True)
            path.hardlink_to(model)
        files += len(days)
    lake.version()
    with Catalogue.of(lake) as catalogue:
        for source in SOURCES:
            catalogue.record(source=source, day=days[-1], state="whole", now=now)
    with sqlite3.connect(lake.root.parent / "catalogue.sqlite") as database:
        for source in SOURCES:
            rows = [
                (source, day, "whole", "", points, "x", microseconds(now), 0, None, at)
                for day in days[:-1]
                for at in [microseconds(now if day >= days[-10] else day_bounds(day)[1])]
            ]
            database.executemany(f"insert into source_days values ({','.join('?' * 10)})", rows)  # noqa: S608
    return files


def deliver_all(platform: Platform, *, days: list[str], now: datetime) -> None:
    """Let the ledger say that every stream has got what there is."""
    portfolio = platform.portfolio()
    seen = f"v{platform.lake.version()}"
    with platform.ledger() as ledger:
        ledger.register_streams(portfolio.streams, destination="wattics")
        states = ledger.states()
        for state in states.values():
            state.planned_until_us = microseconds(day_bounds(days[-1])[1])
            state.last_packet_us = state.last_acknowledged_us = state.planned_until_us
            state.seen_version = seen
        ledger.commit_plan(states, now_us=microseconds(now))


def publish(platform: Platform) -> None:
    """Let the published file follow from all that there is."""
    portfolio = platform.portfolio()
    warehouse = platform.warehouse
    about = warehouse.about_now(portfolio, delivery=platform.delivered(portfolio))
    with duckdb.connect(str(warehouse.published_file)) as database:
        database.execute("create table about (key varchar, value varchar)")
        database.executemany("insert into about values (?, ?)", list(about.items()))


def cpu_of(code: str) -> float:
    """Return the processor seconds that a fresh process says it took."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout)


def show_portfolio(path: Path) -> None:
    """Print what reading the portfolio takes."""
    begin = "import time; from pathlib import Path; from energy_platform.portfolio import *; "
    measure = f"c = time.process_time(); load_portfolio(Path({str(path)!r})); "
    end = "print(time.process_time() - c)"
    fresh = cpu_of(begin + measure + end)
    again = cpu_of(begin + measure + measure + end)
    small = path.with_name("small.yaml")
    write_portfolio(small, points=1, streams=0)
    warm = f"load_portfolio(Path({str(small)!r})); "
    first = cpu_of(begin + warm + measure + end)
    points, size = len(load_portfolio(path).points), path.stat().st_size / 1e6
    sys.stdout.write(
        f"portfolio of {points:,} registers ({size:.1f} MB), processor seconds: a process's first "
        f"{fresh:.2f} (without what any portfolio loads {first:.2f}), unchanged {again:.5f}\n"
    )


def make(folder: Path, options: argparse.Namespace) -> None:
    """Make the installation and tell what its portfolio costs."""
    now = datetime.now(tz=UTC)
    days = day_range(day_of(now - options.days * DAY), day_of(now - DAY))
    write_portfolio(folder / "portfolio.yaml", points=options.points, streams=options.streams)
    time.sleep(2.1)  # what was just written is not remembered yet
    show_portfolio(folder / "portfolio.yaml")
    (folder / "data").mkdir()
    platform = Platform.of(PlatformSettings())
    files = make_lake(platform, days=days, points=options.points, now=now)
    deliver_all(platform, days=days, now=now)
    publish(platform)
    sys.stdout.write(f"{files:,} day files of {len(days):,} days, {options.streams:,} streams\n")


def tick(folder: Path, *, minutes: float) -> None:
    """Tick every sensor at its interval and print what that took."""
    import dagster as dg  # noqa: PLC0415

    from energy_platform.defs.sensors.build import build_sensors  # noqa: PLC0415
    from energy_platform_tests.opened_files import opened_parquet  # noqa: PLC0415

    settings = PlatformSettings()
    resources = {"platform": Platform.of(settings)}
    sensors = [one for one in build_sensors(settings) if not one.name.startswith("poll_")]
    took: dict[str, list[float]] = {one.name: [] for one in sensors}
    cursors: dict[str, str | None] = {}
    said: dict[str, str] = {}
    due = {one.name: 0.0 for one in sensors}
    with (
        dg.instance_for_test() as instance,
        opened_parquet(folder / "data" / "lake") as opened,
    ):
        began = time.monotonic()
        while (passed := time.monotonic() - began) < minutes * 60:
            for sensor in sensors:
                if due[sensor.name] > passed:
                    continue
                due[sensor.name] += sensor.minimum_interval_seconds or 30
                with dg.build_sensor_context(
                    instance=instance, resources=resources, cursor=cursors.get(sensor.name)
                ) as context:
                    start = time.process_time()
                    data = sensor.evaluate_tick(context)
                    took[sensor.name].append(time.process_time() - start)
                cursors[sensor.name] = data.cursor
                said[sensor.name] = str(data.skip_message or data.run_requests)
            time.sleep(max(0.0, min(due.values()) - (time.monotonic() - began)))
        passed = time.monotonic() - began
    total = 0.0
    for sensor in sensors:
        first, *others = took[sensor.name]
        later = others or [first]
        share = sum(others) / passed
        total += share
        sys.stdout.write(
            f"{sensor.name}: every {sensor.minimum_interval_seconds} s, {len(others) + 1} ticks; "
            f"first {first:.3f} s, then median {statistics.median(later):.4f}, longest "
            f"{max(later):.3f}; {share:.2%} of a core; {said[sensor.name][:90]}\n"
        )
    sys.stdout.write(
        f"all sensors together, without the first tick of each: {total:.2%} of a core over "
        f"{passed / 60:.1f} min; Parquet files opened: {len(opened)}\n"
    )


def main() -> None:
    """Print what each sensor costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=3_650)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=12, help="beyond the longest look: 10")
    parser.add_argument("--folder", type=Path, help="where to make it, or where it was made")
    parser.add_argument("--made", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.made is not None:
        tick(options.made, minutes=options.minutes)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        for variable, value in ENVIRONMENT.items():
            os.environ[variable] = value
        os.environ["ENERGY_PLATFORM_DATA_DIR"] = str(folder / "data")
        os.environ["ENERGY_PLATFORM_PORTFOLIO"] = str(folder / "portfolio.yaml")
        if not (folder / "data" / "energy.duckdb").exists():
            folder.mkdir(exist_ok=True)
            make(folder, options)
            sys.stdout.flush()
        command = [sys.executable, "-m", "benchmarks.ticks", "--made", str(folder)]
        command += ["--minutes", str(options.minutes)]
        subprocess.run(command, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
