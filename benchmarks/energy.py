"""Energy from registers: the register rule beside pandas, DuckDB, polars and a bare numpy pass.

    python -m benchmarks.energy                      10 M readings, a minute or two
    python -m benchmarks.energy --registers 10000    100 M readings
    python -m benchmarks.energy --daily              100,000 registers x 96 with their baseline
    python -m benchmarks.energy --peers PYTHON       with pandas, from an interpreter that has it

Every contender reads the same Parquet file and writes three: the deltas with all columns of
``core_energy_deltas``, energy per UTC hour, energy per day of Europe/Paris. Each runs in a process
of its own, one after the other; peak memory is that process's. The peers difference and call a
fall a reset; only ours judges (zeros, spikes, noise, exchanges, gaps) and carries state.

The numpy pass is the practical limit: it knows that the file is sorted, clean and complete. Ours
reads ahead and writes behind on threads, polars and DuckDB use all processors, numpy and pandas
one; both wall and processor time are shown.
"""

# ruff: noqa: T201, PLC0415, S603

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from energy_platform.lake.parquet import arrow_table, open_parquet
from energy_platform.schemas import CORE_ENERGY_DELTAS, INSTANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ZONE: Final = "Europe/Paris"
START_US: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
STEP_US: Final = 900_000_000
GAP_US: Final = 7_200_000_000
CHUNK: Final = 524_288
"""Readings in memory at a time."""

DAYS_APART: Final = 24
"""Pieces whose days are added up together."""

MAX_POWER_W: Final = 50_000.0


def names(registers: int) -> pl.Series:
    """Return point ids."""
    return pl.Series("point_id", [f"socomec/{n:08d}/Global|0|140100" for n in range(registers)])


def generate(path: Path, *, registers: int, readings: int, by_time: bool) -> None:
    """Write whole-Wh registers with a jittered quarter-hour pace and a slip in 20,000 steps."""
    rng = np.random.default_rng(7)
    schema = pl.DataFrame(
        schema={"point_id": pl.String, "at": INSTANT, "value_wh": pl.Float64}
    ).to_arrow(compat_level=pl.CompatLevel.oldest())
    ids = names(registers)
    level = rng.integers(10_000, 10**9, registers).astype(np.float64)
    across = max(CHUNK // readings, 1) if not by_time else registers
    with pq.ParquetWriter(path, schema.schema, compression="zstd") as writer:
        done_points, done_readings = 0, 0
        while done_points < registers and done_readings < readings:
            wide = min(across, registers - done_points)
            long = (
                readings
                if not by_time
                else min(max(CHUNK // registers, 1), readings - done_readings)
            )
            steps = rng.integers(0, 200, (wide, long)).astype(np.float64)
            steps[rng.random((wide, long)) < 1 / 20_000] = -3.0
            own = slice(done_points, done_points + wide)
            value = level[own, None] + steps.cumsum(axis=1)
            level[own] = value[:, -1]
            at = START_US + STEP_US * (np.arange(long) + done_readings)
            at = at[None, :] + rng.integers(0, 20, (wide, long)) * 1_000_000
            code = np.repeat(np.arange(done_points, done_points + wide), long).reshape(wide, long)
            if by_time:
                value, at, code = value.T, np.sort(at, axis=0).T, code.T
            frame = pl.DataFrame(
                {
                    "point_id": ids.gather(code.ravel()),
                    "at": pl.Series(at.ravel()).cast(INSTANT),
                    "value_wh": value.ravel(),
                }
            )
            writer.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
            if by_time:
                done_readings += long
            else:
                done_points += wide


class Sink:
    """Three Parquet files, written as the frames come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def write(self, name: str, frame: pl.DataFrame) -> None:
        """Append to one of the files, in the platform's own layout."""
        writer = self._writers.get(name)
        if writer is None:
            path = self._folder / f"{name}.parquet"
            writer = self._writers[name] = open_parquet(path, schema=frame.schema)
        writer.write_table(arrow_table(frame))

    def close(self) -> None:
        """Finish the files."""
        for writer in self._writers.values():
            writer.close()


def chunks(path: Path) -> Iterator[pl.DataFrame]:
    """Read a file a million rows at a time."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        for batch in file.iter_batches(batch_size=CHUNK, row_groups=[group]):
            yield pl.DataFrame(pa.Table.from_batches([batch]))


def local_days(hours: pl.DataFrame) -> pl.DataFrame:
    """Add hours up to days of the zone."""
    day = pl.col("interval_start").dt.convert_time_zone(ZONE).dt.date().alias("local_day")
    return hours.group_by("point_id", day, maintain_order=True).agg(pl.col("energy_wh").sum())


class Days:
    """Local days, added up as the hours come."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []

    def add(self, hours: pl.DataFrame) -> None:
        """Add hours; the days are kept in memory of their own."""
        days = local_days(hours).to_arrow(compat_level=pl.CompatLevel.oldest())
        self._parts.append(pl.DataFrame(days))
        if len(self._parts) == DAYS_APART:
            self._parts = [self.summed()]

    def summed(self) -> pl.DataFrame:
        """Return the days so far."""
        return (
            pl.concat(self._parts)
            .group_by("point_id", "local_day")
            .agg(pl.col("energy_wh").sum())
            .sort("point_id", "local_day")
        )


def ours(source: Path, folder: Path) -> None:
    """Read the file in pieces, each from the state the one before left."""
    from benchmarks.energy_files import energy_of_file
    from energy_platform.transforms.policy import CounterPolicy

    days = Days()
    energy_of_file(
        source,
        deltas_to=folder / "deltas.parquet",
        intervals_to=folder / "hours.parquet",
        policy=CounterPolicy(max_power_w=MAX_POWER_W),
        width="1h",
        on_intervals=days.add,
    )
    days.summed().write_parquet(folder / "days.parquet", compression="zstd")


def numpy(source: Path, folder: Path) -> None:
    """Difference a clean, sorted file with as few passes as there are figures."""
    sink, days = Sink(folder), Days()
    last_id: str | None = None
    last_at, last_value = 0, 0.0
    for chunk in chunks(source):
        ids = chunk.get_column("point_id")
        at = chunk.get_column("at").to_physical().to_numpy()
        value = chunk.get_column("value_wh").to_numpy()
        start_at, start = np.empty_like(at), np.empty_like(value)
        start_at[1:], start[1:] = at[:-1], value[:-1]
        new = np.ones(at.size, np.bool_)
        new[1:] = (ids != ids.shift(1)).to_numpy()[1:]
        if ids[0] == last_id:
            new[0], start_at[0], start[0] = False, last_at, last_value
        start_at[new], start[new] = at[new], value[new]
        energy = value - start
        falls = energy < 0
        energy[falls] = value[falls]
        status = np.where(new, 0, np.where(falls, 1, 2)).astype(np.uint8)
        last_id, last_at, last_value = ids[-1], int(at[-1]), float(value[-1])
        n = at.size
        sink.write(
            "deltas",
            pl.DataFrame(
                {
                    "point_id": ids,
                    "end_at": chunk.get_column("at"),
                    "start_at": pl.Series(start_at).cast(INSTANT),
                    "counted_from": pl.Series(start_at).cast(INSTANT),
                    "register_start_wh": start,
                    "register_end_wh": value,
                    "energy_wh": energy,
                    "refused_wh": np.zeros(energy.size),
                    "status": pl.Series(["first", "reset", "ok"]).gather(status),
                    "estimated": at - start_at > GAP_US,
                    "dropped": np.zeros(n, np.int64),
                    "reason": pl.repeat(None, n, eager=True, dtype=pl.String()),
                    "method": pl.repeat("register", n, eager=True, dtype=pl.String()),
                }
            ),
        )
        hour = (at - 1) // 3_600_000_000
        edge = new.copy()
        edge[0] = True
        edge[1:] |= hour[1:] != hour[:-1]
        first = np.flatnonzero(edge)
        hours = pl.DataFrame(
            {
                "point_id": ids.gather(first),
                "interval_start": pl.Series(hour[first] * 3_600_000_000).cast(INSTANT),
                "energy_wh": np.add.reduceat(energy, first),
            }
        )
        sink.write("hours", hours)
        days.add(hours)
    sink.write("days", days.summed())
    sink.close()


def polars(source: Path, folder: Path) -> None:
    """Window functions over the whole file."""
    start = pl.col("value_wh").shift(1).over("point_id")
    rise = pl.col("value_wh") - pl.col("register_start_wh")
    deltas = (
        pl.scan_parquet(source)
        .sort("point_id", "at")
        .with_columns(register_start_wh=start, start_at=pl.col("at").shift(1).over("point_id"))
        .with_columns(
            energy_wh=pl.when(rise < 0).then("value_wh").otherwise(rise).fill_null(0.0),
            counted_from="start_at",
            refused_wh=0.0,
            status=pl.when(rise.is_null())
            .then(pl.lit("first"))
            .when(rise < 0)
            .then(pl.lit("reset"))
            .otherwise(pl.lit("ok")),
            estimated=(pl.col("at") - pl.col("start_at")) > pl.duration(hours=2),
            dropped=pl.lit(0, pl.Int64),
            reason=pl.lit(None, pl.String),
            method=pl.lit("register"),
        )
        .rename({"at": "end_at", "value_wh": "register_end_wh"})
        .select(CORE_ENERGY_DELTAS.schema.names())
        .collect()
    )
    deltas.write_parquet(folder / "deltas.parquet", compression="zstd")
    hours = (
        deltas.lazy()
        .group_by(
            "point_id",
            (pl.col("end_at") - pl.duration(microseconds=1))
            .dt.truncate("1h")
            .alias("interval_start"),
        )
        .agg(pl.col("energy_wh").sum())
        .sort("point_id", "interval_start")
        .collect()
    )
    hours.write_parquet(folder / "hours.parquet", compression="zstd")
    local_days(hours).write_parquet(folder / "days.parquet", compression="zstd")


def duckdb(source: Path, folder: Path) -> None:
    """SQL windows; DuckDB may spill beside the output."""
    import duckdb as db

    connection = db.connect()
    connection.execute(f"SET temp_directory='{folder}'; SET TimeZone='UTC'")
    connection.execute(
        f"""
        COPY (
          SELECT point_id, "at" AS end_at, coalesce(start_at, "at") AS start_at,
            coalesce(start_at, "at") AS counted_from,
            coalesce(before, value_wh) AS register_start_wh, value_wh AS register_end_wh,
            CASE WHEN before IS NULL THEN 0 WHEN value_wh < before THEN value_wh
                 ELSE value_wh - before END AS energy_wh,
            0.0::DOUBLE AS refused_wh,
            CASE WHEN before IS NULL THEN 'first' WHEN value_wh < before THEN 'reset'
                 ELSE 'ok' END AS status,
            coalesce("at" - start_at > INTERVAL 2 HOUR, false) AS estimated,
            0::BIGINT AS dropped, NULL::VARCHAR AS reason, 'register' AS method
          FROM (
            SELECT *, lag(value_wh) OVER w AS before, lag("at") OVER w AS start_at
            FROM read_parquet('{source}')
            WINDOW w AS (PARTITION BY point_id ORDER BY "at")
          )
        ) TO '{folder}/deltas.parquet' (FORMAT parquet, COMPRESSION zstd)
        """  # noqa: S608
    )
    connection.execute(
        f"""
        COPY (
          SELECT point_id, date_trunc('hour', end_at - INTERVAL 1 MICROSECOND) AS interval_start,
            sum(energy_wh) AS energy_wh
          FROM read_parquet('{folder}/deltas.parquet') GROUP BY ALL ORDER BY ALL
        ) TO '{folder}/hours.parquet' (FORMAT parquet, COMPRESSION zstd)
        """  # noqa: S608
    )
    connection.execute(
        f"""
        COPY (
          SELECT point_id, (interval_start AT TIME ZONE '{ZONE}')::DATE AS local_day,
            sum(energy_wh) AS energy_wh
          FROM read_parquet('{folder}/hours.parquet') GROUP BY ALL ORDER BY ALL
        ) TO '{folder}/days.parquet' (FORMAT parquet, COMPRESSION zstd)
        """  # noqa: S608
    )


CONTENDERS: Final[dict[str, Callable[[Path, Path], None]]] = {
    "ours": ours,
    "numpy": numpy,
    "polars": polars,
    "duckdb": duckdb,
}

PEERS: Final = {"pandas": Path(__file__).with_name("energy_pandas.py")}
"""Contenders in files of their own: they need packages that the platform does without."""


def alone(name: str, source: Path, *, peers: str) -> dict[str, Any]:
    """Run one contender in a process of its own; return seconds, peak MB and total energy."""
    own = [sys.executable, "-m", "benchmarks.energy", "--run", name, "--source", str(source)]
    command = [peers, str(PEERS[name]), str(source)] if name in PEERS else own
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode:
        lines = [line for line in said.stderr.splitlines() if "Error" in line]
        return {"error": lines[-1] if lines else f"ended with {said.returncode}"}
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def run(name: str, source: Path) -> None:
    """Run one contender and print its figures."""
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        begun, worked = time.perf_counter(), time.process_time()
        CONTENDERS[name](source, Path(folder))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        days = pl.read_parquet(Path(folder) / "days.parquet")
        total = float(days["energy_wh"].sum())
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak, "total_wh": total}))


def compare(
    *, registers: int, readings: int, contenders: list[str], folder: Path, peers: str
) -> None:
    """Print the table."""
    by_point = folder / f"by_point_{registers}_{readings}.parquet"
    by_time = folder / f"by_time_{registers}_{readings}.parquet"
    for path in (by_point, by_time):
        if not path.exists():
            generate(path, registers=registers, readings=readings, by_time=path is by_time)
    rows = registers * readings
    print(f"{rows / 1e6:.0f} M readings of {registers} registers\n")
    print(
        f"{'':20}{'seconds':>9}{'CPU s':>8}{'M rows/s':>10}{'peak MB':>9}"
        f"{'seconds':>10}{'CPU':>6}  x ours"
    )
    base: dict[str, Any] = {}
    jobs = [(name, by_point) for name in contenders]
    for name, source in [*jobs, ("ours", by_time)]:
        found = alone(name, source, peers=peers)
        label = name if source is by_point else f"{name}, file by time"
        if "error" in found:
            print(f"{label:20}{found['error'][:80]}")
            continue
        base = base or found
        print(
            f"{label:20}{found['seconds']:9.2f}{found['cpu']:8.2f}"
            f"{rows / 1e6 / found['seconds']:10.1f}{found['peak_mb']:9.0f}"
            f"{found['seconds'] / base['seconds']:10.2f}{found['cpu'] / base['cpu']:6.2f}",
            flush=True,
        )


def daily() -> None:
    """Time one day of 100,000 registers with the state of the day before."""
    from energy_platform.refresh.steps import EnergyShare, energy_of_day
    from energy_platform.transforms.counters import energy_deltas
    from energy_platform.transforms.intervals import energy_intervals
    from energy_platform.transforms.policy import CounterPolicy

    registers, readings = 100_000, 97
    rng = np.random.default_rng(7)
    value = rng.integers(0, 200, (registers, readings)).cumsum(axis=1) + 10.0**6
    at = np.broadcast_to(START_US + STEP_US * np.arange(readings), value.shape)
    ids = names(registers)
    frame = pl.DataFrame(
        {
            "point_id": ids.gather(np.repeat(np.arange(registers), readings)),
            "at": pl.Series(at.ravel()).cast(INSTANT),
            "value": value.ravel(),
            "status": pl.repeat("ok", value.size, eager=True),
        }
    )
    points = pl.DataFrame({"point_id": ids}).with_columns(
        quantity=pl.lit("active_energy_import"),
        unit=pl.lit("Wh"),
        kind=pl.lit("register"),
        energy_from_power=pl.lit(value=False),
        every_s=pl.lit(900),
    )
    policies = dict.fromkeys(ids, CounterPolicy(max_power_w=MAX_POWER_W))
    is_first = pl.col("at") == pl.col("at").min()
    before = frame.filter(is_first)
    state = energy_deltas(before.rename({"value": "value_wh"}), policy=policies).state
    day = frame.filter(~is_first)
    bare = day.select("point_id", "at", pl.col("value").alias("value_wh"))
    by_time = bare.sort("at", maintain_order=True)

    def as_platform() -> pl.DataFrame:
        shares: list[EnergyShare] = []
        energy_of_day([day], points=points, policies=policies, state=state, on_share=shares.append)
        return shares[0].deltas

    jobs: dict[str, Callable[[], pl.DataFrame]] = {
        "as the platform runs it": as_platform,
        "the rule alone": lambda: energy_deltas(bare, state=state, policy=policies).deltas,
        "the rule alone, by time": lambda: (
            energy_deltas(by_time, state=state, policy=policies).deltas
        ),
    }
    print(f"{'':26}{'deltas s':>10}{'intervals s':>12}{'both CPU s':>12}")
    for name, job in jobs.items():
        begun, worked = time.perf_counter(), time.process_time()
        deltas = job()
        settled = time.perf_counter()
        energy_intervals(deltas)
        spread, cpu = time.perf_counter(), time.process_time() - worked
        print(f"{name:26}{settled - begun:10.2f}{spread - settled:12.2f}{cpu:12.2f}", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--registers", type=int, default=1000)
    parser.add_argument("--readings", type=int, default=10_000)
    parser.add_argument(
        "--only", default=",".join([*CONTENDERS, *PEERS]), help="contenders, comma separated"
    )
    parser.add_argument("--peers", default=sys.executable, help="interpreter that has pandas")
    parser.add_argument(
        "--folder", type=Path, help="where the files stay for the next run; nowhere if none"
    )
    parser.add_argument("--daily", action="store_true")
    parser.add_argument("--run", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(given.run, given.source)
    elif given.daily:
        daily()
    else:
        with tempfile.TemporaryDirectory() as temporary:
            compare(
                registers=given.registers,
                readings=given.readings,
                contenders=given.only.split(","),
                folder=given.folder or Path(temporary),
                peers=given.peers,
            )


if __name__ == "__main__":
    main()
