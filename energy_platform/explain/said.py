"""What was said of a point's figures, publication by publication, out of the journal.

The journal (``data/restatements``) is written by the warehouse; here it is only read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from energy_platform.explain.chain import ExplainError
from energy_platform.explain.descriptions import number
from energy_platform.portfolio.values import on_the_clock
from energy_platform.warehouse.restatements import FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Saying:
    """What a publication said of a figure.

    Attributes:
        at: The publication.
        value: The figure; None: it was final no longer.
        why: Why it was another one than before; None when it was said for the first time.
    """

    at: datetime
    value: float | None
    why: str | None


@dataclass(frozen=True, kw_only=True)
class SaidFigure:
    """All that was said of one figure since it was final, in order.

    Attributes:
        grain: ``day``, ``week`` or ``month``.
        period_start: First local day of its period.
        sayings: At least one.
    """

    figure: str
    grain: str
    period_start: date
    unit: str
    sayings: tuple[Saying, ...]

    def as_of(self, instant: datetime) -> Saying | None:
        """Return what was said at an instant; None when nothing was final yet."""
        before = [one for one in self.sayings if one.at <= instant]
        return before[-1] if before else None


def parse_as_of(text: str, *, timezone: str) -> datetime:
    """Return the instant that was typed; a date is its midnight on the clock of a zone.

    Raises:
        ExplainError: It is neither a date nor an instant.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ExplainError(
            f"{text!r} is not a date such as 2026-03-01 or an instant such as 2026-03-01T08:00Z"
        ) from None
    return on_the_clock(moment, timezone=timezone)


def said_of(data_dir: Path, *, scope_id: str, day: str) -> tuple[SaidFigure, ...]:
    """Return what was said of a local day, and of the week and month that hold it.

    Args:
        data_dir: The data folder.
        scope_id: A point or a site.
        day: Local day, such as 2026-03-01.
    """
    local = date.fromisoformat(day)
    starts = {
        "day": local,
        "week": local - timedelta(days=local.weekday()),
        "month": local.replace(day=1),
    }
    folders = {data_dir / FOLDER / f"month={start:%Y-%m}" for start in starts.values()}
    files = sorted(
        path
        for folder in folders
        for path in folder.glob("*.parquet")
        if not path.name.startswith(".")
    )
    if not files:
        return ()
    wanted = pl.any_horizontal(
        (pl.col("grain") == grain) & (pl.col("period_start") == start)
        for grain, start in starts.items()
    )
    rows = (
        pl.scan_parquet(files, hive_partitioning=False)
        .filter((pl.col("scope_id") == scope_id) & wanted)
        .sort("period_start", "restated_at")
        .collect()
    )
    by_figure: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        by_figure.setdefault((row["grain"], row["figure"]), []).append(row)
    order = list(starts)
    return tuple(
        SaidFigure(
            figure=figure,
            grain=grain,
            period_start=found[0]["period_start"],
            unit=found[0]["unit"],
            sayings=tuple(
                Saying(at=one["restated_at"], value=one["new_value"], why=one["why"])
                for one in found
            ),
        )
        for (grain, figure), found in sorted(
            by_figure.items(), key=lambda entry: (order.index(entry[0][0]), entry[0][1])
        )
    )


def describe_said(figures: tuple[SaidFigure, ...], *, as_of: datetime | None) -> list[str]:
    """Return lines for display: what was said at an instant, and each change since.

    Args:
        figures: What was said.
        as_of: The instant; None: only figures that changed, with all their changes.
    """
    lines = []
    for one in figures:
        what = f"{one.figure} of the {one.grain} {one.period_start}"
        told = one.as_of(as_of) if as_of is not None else one.sayings[0]
        later = [saying for saying in one.sayings if told is None or saying.at > told.at]
        if as_of is None and not later:
            continue
        if told is None:
            lines.append(f"{what}: not final yet")
        elif told.value is None:
            lines.append(f"{what}: final no longer since {_at(told.at)} ({told.why})")
        else:
            lines.append(f"{what}: {_value(one, told)}, said on {_at(told.at)}")
        lines += [
            f"  then on {_at(saying.at)}: "
            + ("final no longer" if saying.value is None else _value(one, saying))
            + (f" ({saying.why})" if saying.why else ", final for the first time")
            for saying in later
        ]
    return lines


def _value(figure: SaidFigure, saying: Saying) -> str:
    return f"{number(saying.value or 0.0)} {figure.unit}"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%SZ}"
