"""The ``increments`` blocks of docs/energy.md, each with what it gives beside what is right.

    python -m energy_platform_tests.increment_cases

Exit code 1 when any is wrong.
"""

# ruff: noqa: T201

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
import yaml

from energy_platform.schemas import CORE_READINGS
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.registers import compute_energy

PAGE: Final = Path(__file__).parents[1] / "docs" / "energy.md"


@dataclass(frozen=True)
class Case:
    """Increments of one point, and the energy of each local day.

    Attributes:
        values: Stamps and Wh, in the order they came.
        right: Energy by local day.
    """

    name: str
    zone: str
    point: dict[str, Any]
    values: list[tuple[datetime, float]]
    right: dict[date, float]

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Case:
        zone = ZoneInfo(entry["zone"])
        at = datetime.fromisoformat(entry["from"]).replace(tzinfo=zone)
        values: list[tuple[datetime, float]] = []
        for part in entry["increments"].split():
            wh, _, times = part.partition("x")
            for _ in range(int(times or 1)):
                values.append((at.astimezone(UTC), float(wh)))
                if entry["pace"] == "1d":
                    at += timedelta(days=1)
                else:
                    at = (at.astimezone(UTC) + timedelta(minutes=15)).astimezone(zone)
        anew = timedelta(seconds=entry.get("again_after_s", 0))
        values += [(at + anew, wh) for at, wh in values] if anew else []
        point = {"every_s": None, "width_s": None, "stamp": entry["stamp"], "timezone": None}
        seconds = 86_400.0 if entry["pace"] == "1d" else 900.0
        point["width_s"], point["timezone"] = seconds, entry["zone"]
        return cls(entry["name"], entry["zone"], point, values, entry["right"])

    def found(self) -> dict[date, float]:
        """Load the increments by UTC day and add their energy up by local day."""
        points = pl.DataFrame(
            [
                {
                    "point_id": "delta",
                    "quantity": "active_energy_import",
                    "unit": "Wh",
                    "kind": "increment",
                    "energy_from_power": False,
                    **self.point,
                }
            ]
        ).cast({"every_s": pl.Float64})
        readings = pl.DataFrame(
            [
                {
                    "point_id": "delta",
                    "at": at,
                    "quantity": "active_energy_import",
                    "value": value,
                    "unit": "Wh",
                    "status": "ok",
                }
                for at, value in self.values
            ],
            schema=CORE_READINGS.schema,
        )
        state, parts = None, []
        for day in sorted({at.date() for at, _ in self.values}):
            own = readings.filter(pl.col("at").dt.date() == day)
            made = compute_energy(own, points=points, state=state)
            state = made.state
            parts.append(energy_intervals(made.deltas))
        local = pl.col("interval_start").dt.convert_time_zone(self.zone).dt.date()
        days = pl.concat(parts).group_by(local.alias("day")).agg(pl.col("energy_wh").sum())
        return {day: round(energy, 6) for day, energy in days.sort("day").iter_rows()}


def cases() -> list[Case]:
    """Return the cases of the page."""
    blocks = re.findall(r"```increments\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [Case.of(yaml.safe_load(block)) for block in blocks]


def main() -> int:
    """Print each case, what it gives and what is right."""
    wrong = 0
    for case in cases():
        found = case.found()
        wrong += found != case.right
        shown = ", ".join(
            f"{day} {found.get(day)} (right: {right:g})" for day, right in case.right.items()
        )
        print(f"{'ok   ' if found == case.right else 'WRONG'} {case.name}: {shown}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
