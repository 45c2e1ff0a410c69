"""The pandas contender of benchmarks/energy.py: groupby.diff, as most scripts of this kind do it.

    python benchmarks/energy_pandas.py FILE      prints one line of JSON

Needs pandas and pyarrow and nothing of the platform.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd  # type: ignore[import-untyped, import-not-found, unused-ignore]

ZONE: Final = "Europe/Paris"


def energy(source: Path, folder: Path) -> Any:
    """Write deltas, hours and local days; return the days."""
    frame = pd.read_parquet(source).sort_values(["point_id", "at"])
    grouped = frame.groupby("point_id", sort=False)
    before = grouped["value_wh"].shift(1)
    start_at = grouped["at"].shift(1)
    rise = grouped["value_wh"].diff()
    falls = rise < 0
    deltas = pd.DataFrame(
        {
            "point_id": frame["point_id"],
            "end_at": frame["at"],
            "start_at": start_at.fillna(frame["at"]),
            "counted_from": start_at.fillna(frame["at"]),
            "register_start_wh": before.fillna(frame["value_wh"]),
            "register_end_wh": frame["value_wh"],
            "energy_wh": rise.where(~falls, frame["value_wh"]).fillna(0.0),
            "refused_wh": 0.0,
            "status": np.where(before.isna(), "first", np.where(falls, "reset", "ok")),
            "estimated": (frame["at"] - start_at) > pd.Timedelta(hours=2),
            "dropped": 0,
            "reason": None,
            "method": "register",
        }
    )
    deltas.to_parquet(folder / "deltas.parquet", compression="zstd", index=False)
    hour = (deltas["end_at"] - pd.Timedelta(microseconds=1)).dt.floor("h").rename("interval_start")
    hours = deltas.groupby(["point_id", hour])["energy_wh"].sum().reset_index()
    hours.to_parquet(folder / "hours.parquet", compression="zstd", index=False)
    day = hours["interval_start"].dt.tz_convert(ZONE).dt.date.rename("local_day")
    days = hours.groupby(["point_id", day])["energy_wh"].sum().reset_index()
    days.to_parquet(folder / "days.parquet", compression="zstd", index=False)
    return days


def main() -> None:
    """Run on the file named on the command line."""
    source = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        begun, worked = time.perf_counter(), time.process_time()
        days = energy(source, Path(folder))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    total = float(days["energy_wh"].sum())
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak, "total_wh": total}))


if __name__ == "__main__":
    main()
