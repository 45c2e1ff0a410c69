"""What is doubtful about a day's data, for the asset checks that warn: figures only, no severity.

Each function takes a day's frames and returns the points to name; an empty frame is a clean day.
How a check words and reports them belongs to ``defs``; promises of our own, whose checks block,
are in ``conservation``; refused energy and limits in ``limits``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from energy_platform.schemas import INSTANT
from energy_platform.transforms.periods import power_deltas
from energy_platform.transforms.readings import DROPPED, WORD

MOST_FALLS: Final = 3
"""A register that falls more often in a day has a broken meter, bus or configuration, or counts per
session and wants ``glitch: keep`` (docs/energy.md)."""

FEWEST_STUCK: Final = 24
"""A gauge is called stuck only after this many equal readings: of hourly samples, a whole day."""

MOST_DISAGREEMENT: Final = 0.2
"""A register and the integral of its own power may differ by this share: power is sampled, a
register is not, and a load that switches between two samples is missed (design, readings)."""

FEWEST_REGULAR: Final = 12
"""Samples from which a day shows a point's cadence."""

REGULAR_QUANTILE: Final = 0.9
"""Nine steps of ten: a gap or two a day do not make a regular point irregular."""

MOST_IRREGULAR: Final = 3.0
"""A point is regular when nine tenths of its steps are at most three usual ones."""

SMALLEST_COMPARED_WH: Final = 1000.0
"""Below this energy a day's rounding outweighs any disagreement."""

FALLS: Final = ("exchange", "rollover", "reset", "spike_reversal", "dip")
"""Statuses of steps in which the register came back lower, or was another one."""

NEVER_STUCK: Final = ("register", "increment", "state", "bitfield")
"""Kinds whose values may rightly stay the same for a day."""


def habits(readings: pl.DataFrame) -> pl.DataFrame:
    """Return what the points of a day usually do.

    Args:
        readings: Rows of ``core_readings`` of one day, sorted by ``point_id, at``.

    Returns:
        ``point_id, step_s, moved``: the usual seconds between two samples, null where the day has
        too few or they come irregularly (a point that reports only changes has no cadence), and
        whether a usable reading differed from another.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": "room",
        ...     "at": [datetime(2026, 3, 1, 0, 5 * n, tzinfo=UTC) for n in range(12)],
        ...     "value": [20.0 + n % 2 for n in range(12)],
        ...     "status": "ok",
        ... })
        >>> habits(readings).rows()
        [('room', 300.0, True)]
    """
    return (
        readings.sort("point_id", "at")
        .with_columns(
            step=pl.col("at").diff().over("point_id").dt.total_microseconds() / 1e6,
            usable=pl.when(pl.col("status") == "ok").then(pl.col("value")),
        )
        .group_by("point_id", maintain_order=True)
        .agg(
            pl.col("step").median().alias("median"),
            pl.col("step").quantile(REGULAR_QUANTILE).alias("long"),
            pl.len().alias("samples"),
            (pl.col("usable").drop_nulls().n_unique() > 1).alias("moved"),
        )
        .select(
            "point_id",
            pl.when(
                (pl.col("samples") >= FEWEST_REGULAR)
                & (pl.col("median") > 0)
                & (pl.col("long") <= MOST_IRREGULAR * pl.col("median"))
            )
            .then(pl.col("median"))
            .alias("step_s"),
            "moved",
        )
    )


def completeness(
    readings: pl.DataFrame,
    *,
    points: pl.DataFrame,
    known: pl.DataFrame,
    window: timedelta = timedelta(days=1),
) -> pl.DataFrame:
    """Compare the readings of a day with the cadence that the points are known to have.

    The cadence is what the point showed before, else what it shows on the day itself, else, for a
    point that was never seen, what the portfolio states. Points without any are left out.

    Args:
        readings: Rows of ``core_readings`` of one day; quarantined ones were received too.
        points: ``point_id, every_s`` per point.
        known: ``point_id, step_s``: what was learned on earlier days.
        window: How much of the day has passed.

    Returns:
        ``point_id, expected, received, share`` per expected point, the emptiest first.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": "room",
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in range(12)],
        ...     "value": 20.0,
        ...     "status": "ok",
        ... })
        >>> points = pl.DataFrame({"point_id": "room", "every_s": [60.0]})
        >>> known = pl.DataFrame({"point_id": "room", "step_s": [3600.0]})
        >>> completeness(readings, points=points, known=known).rows()
        [('room', 24, 12, 0.5)]
    """
    received = readings.group_by("point_id").agg(pl.len().cast(pl.Int64()).alias("received"))
    seconds = window.total_seconds()
    # A point that was seen and has no regular cadence reports changes only: no number is right.
    stated = pl.when(pl.col("seen").is_null()).then(pl.col("every_s"))
    cadence = pl.coalesce("step_s", "step_today", stated)
    return (
        points.select("point_id", "every_s")
        .join(
            known.select("point_id", "step_s", seen=pl.lit(value=True)), on="point_id", how="left"
        )
        .join(
            habits(readings).select("point_id", pl.col("step_s").alias("step_today")),
            on="point_id",
            how="left",
        )
        .with_columns(cadence=cadence)
        .filter(pl.col("cadence") > 0)
        .select(
            "point_id", (seconds / pl.col("cadence")).floor().cast(pl.Int64()).alias("expected")
        )
        .filter(pl.col("expected") > 0)
        .join(received, on="point_id", how="left")
        .with_columns(pl.col("received").fill_null(0))
        .with_columns(share=(pl.col("received") / pl.col("expected")).clip(0.0, 1.0))
        .sort("share", "point_id")
    )


def stuck(
    readings: pl.DataFrame,
    *,
    points: pl.DataFrame,
    moved: pl.DataFrame,
    fewest: int = FEWEST_STUCK,
) -> pl.DataFrame:
    """Return gauges that used to move and showed one non-zero value all day.

    Args:
        readings: Rows of ``core_readings`` of one day.
        points: ``point_id, kind, quantity`` per point. The mains' frequency is held at one value:
            read twice an hour to a tenth of a hertz, it may not move all day.
        moved: ``point_id`` of the points that moved lately: a limit or a setpoint that always
            shows one value is not a broken sensor.
        fewest: Equal readings from which a gauge is called stuck.

    Returns:
        ``point_id, value, readings``.

    Example:
        >>> readings = pl.DataFrame({"point_id": "room", "value": [21.5] * 24, "status": "ok"})
        >>> points = pl.DataFrame(
        ...     {"point_id": ["room"], "kind": ["gauge"], "quantity": ["temperature"]}
        ... )
        >>> stuck(readings, points=points, moved=points.select("point_id")).rows()
        [('room', 21.5, 24)]
    """
    may_be = ~pl.col("kind").is_in(NEVER_STUCK) & (pl.col("quantity") != "frequency")
    gauges = points.filter(may_be).select("point_id")
    return (
        readings.filter(pl.col("status") == "ok")
        .join(gauges, on="point_id", how="semi")
        .join(moved, on="point_id", how="semi")
        .group_by("point_id")
        .agg(
            pl.col("value").first(),
            pl.col("value").n_unique().alias("values"),
            pl.len().cast(pl.Int64()).alias("readings"),
        )
        .filter((pl.col("values") == 1) & (pl.col("readings") >= fewest) & (pl.col("value") != 0))
        .select("point_id", "value", "readings")
        .sort("point_id")
    )


def unexpected_quarantine(readings: pl.DataFrame, *, points: pl.DataFrame) -> pl.DataFrame:
    """Count the quarantined readings of a day that nobody has decided about.

    Left out are readings that a reviewed correction drops, and points that the portfolio leaves
    out of a device it knows: both are decisions, and an alarm that is always on is none.

    Args:
        readings: Rows of ``core_readings`` of one day.
        points: ``point_id, device_id`` per point of the portfolio.

    Returns:
        ``reason, readings, points``, the most frequent first.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": ["acme/1/a", "acme/1/b"],
        ...     "status": "quarantined",
        ...     "reason": ["unknown_unit", "unknown_point"],
        ... })
        >>> points = pl.DataFrame({"point_id": ["acme/1/a"], "device_id": ["acme/1"]})
        >>> unexpected_quarantine(readings, points=points).rows()
        [('unknown_unit', 1, 1)]
    """
    device = pl.col("point_id").str.splitn("/", 3).struct.unnest()
    known = points.select("point_id").with_columns(device).select("field_0", "field_1").unique()
    return (
        readings.filter((pl.col("status") == "quarantined") & (pl.col("reason") != DROPPED))
        .with_columns(device)
        .join(known.with_columns(chosen=True), on=["field_0", "field_1"], how="left")
        .filter(~((pl.col("reason") == "unknown_point") & pl.col("chosen").fill_null(value=False)))
        .group_by("reason")
        .agg(
            pl.len().cast(pl.Int64()).alias("readings"),
            pl.col("point_id").n_unique().cast(pl.Int64()).alias("points"),
        )
        .sort("readings", "reason", descending=[True, False])
    )


def frequent_resets(deltas: pl.DataFrame, *, most: int = MOST_FALLS) -> pl.DataFrame:
    """Return points with more falls in a day than believable: ``point_id, falls``.

    Example:
        >>> deltas = pl.DataFrame({"point_id": "car_charger", "status": ["reset"] * 5})
        >>> frequent_resets(deltas).rows()
        [('car_charger', 5)]
    """
    return (
        deltas.filter(pl.col("status").is_in(FALLS))
        .group_by("point_id")
        .agg(pl.len().cast(pl.Int64()).alias("falls"))
        .filter(pl.col("falls") > most)
        .sort("point_id")
    )


def spike_reversals(deltas: pl.DataFrame) -> pl.DataFrame:
    """Return the steps back from an upward spike: ``point_id, end_at, energy_wh``.

    Example:
        >>> deltas = pl.DataFrame({
        ...     "point_id": "main",
        ...     "end_at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (1, 2)],
        ...     "energy_wh": [500.0, -90_000.0],
        ...     "status": ["ok", "spike_reversal"],
        ... })
        >>> spike_reversals(deltas).get_column("energy_wh").to_list()
        [-90000.0]
    """
    reversals = deltas.filter(pl.col("status") == "spike_reversal")
    return reversals.select("point_id", "end_at", "energy_wh")


def word_swaps(readings: pl.DataFrame) -> pl.DataFrame:
    """Explain registers quarantined for swapped words.

    Returns:
        ``point_id, readings, raw_value, unit, factor, repaired``: the newest raw value, the factor
        that a reviewed correction would need, and what the value would then be.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": "battery",
        ...     "at": [datetime(2026, 3, 1, tzinfo=UTC)],
        ...     "value": [338_690_048.0],
        ...     "unit": "kWh",
        ...     "reason": "word_swap",
        ... })
        >>> word_swaps(readings).get_column("repaired").to_list()
        [5168.0]
    """
    return (
        readings.filter(pl.col("reason") == "word_swap")
        .sort("point_id", "at")
        .group_by("point_id", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64()).alias("readings"),
            pl.col("value").last().alias("raw_value"),
            pl.col("unit").last(),
        )
        .with_columns(factor=pl.lit(1 / WORD), repaired=pl.col("raw_value") / WORD)
    )


def serials_under_two_ids(raw: pl.DataFrame, *, serial: str, device: str) -> pl.DataFrame:
    """Return serial numbers that several device ids claim: ``serial, devices``.

    Args:
        raw: Raw rows or an inventory of one vendor.
        serial: Column with the serial number.
        device: Column with the vendor's device id.

    Example:
        >>> raw = pl.DataFrame({"serial_number": ["0", "0", "7"], "device_id": ["b", "a", "c"]})
        >>> serials_under_two_ids(raw, serial="serial_number", device="device_id").rows()
        [('0', ['a', 'b'])]
    """
    return (
        raw.group_by(pl.col(serial).alias("serial"))
        .agg(pl.col(device).unique().sort().alias("devices"))
        .filter(pl.col("devices").list.len() > 1)
        .sort("serial")
    )


def disagreeing_power(
    deltas: pl.DataFrame,
    readings: pl.DataFrame,
    *,
    points: pl.DataFrame,
    most: float = MOST_DISAGREEMENT,
) -> pl.DataFrame:
    """Compare each import register with the power measured on the same device.

    Args:
        deltas: Rows of ``core_energy_deltas`` of a day.
        readings: Rows of ``core_readings`` of the same day.
        points: ``point_id, device_id, quantity, phase, kind`` per point.
        most: Largest believable difference, as a share of the larger figure.

    Returns:
        ``point_id, power_point_id, register_wh, power_wh, share`` of the disagreeing pairs.
        Devices with several such points on one phase are left out: the pair is not known.

    Example:
        >>> hours = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in range(3)]
        >>> deltas = pl.DataFrame(
        ...     {"point_id": "wh", "start_at": hours[:2], "end_at": hours[1:], "energy_wh": 5000.0}
        ... )
        >>> readings = pl.DataFrame({"point_id": "w", "at": hours, "value": 2000.0, "status": "ok"})
        >>> points = pl.DataFrame({
        ...     "point_id": ["wh", "w"],
        ...     "device_id": "meter",
        ...     "quantity": ["active_energy_import", "active_power"],
        ...     "phase": "total",
        ...     "kind": ["register", "gauge"],
        ... })
        >>> found = disagreeing_power(deltas, readings, points=points)
        >>> found.select("register_wh", "power_wh", "share").rows()
        [(10000.0, 4000.0, 0.6)]
    """
    keys = ["device_id", "phase"]
    registers = _only_one(
        points.filter(
            (pl.col("quantity") == "active_energy_import") & (pl.col("kind") == "register")
        )
    )
    powers = _only_one(
        points.filter((pl.col("quantity") == "active_power") & (pl.col("kind") == "gauge"))
    ).rename({"point_id": "power_point_id"})
    pairs = registers.join(powers, on=keys)
    measured = readings.filter(pl.col("status") == "ok").select(
        "point_id", "at", pl.col("value").clip(lower_bound=0.0)
    )
    measured = measured.join(
        pairs.select(pl.col("power_point_id").alias("point_id")), on="point_id", how="semi"
    )
    integrated = power_deltas(measured).deltas
    spans = integrated.group_by("point_id").agg(
        pl.col("energy_wh").sum().alias("power_wh"),
        pl.col("start_at").min().alias("from").cast(INSTANT),
        pl.col("end_at").max().alias("to").cast(INSTANT),
    )
    counted = (
        deltas.join(pairs, on="point_id")
        .join(spans, left_on="power_point_id", right_on="point_id")
        .filter((pl.col("start_at") >= pl.col("from")) & (pl.col("end_at") <= pl.col("to")))
        .group_by("point_id", "power_point_id", "power_wh")
        .agg(pl.col("energy_wh").sum().alias("register_wh"))
    )
    larger = pl.max_horizontal("register_wh", "power_wh")
    return (
        counted.with_columns(share=(pl.col("register_wh") - pl.col("power_wh")).abs() / larger)
        .filter((larger >= SMALLEST_COMPARED_WH) & (pl.col("share") > most))
        .select("point_id", "power_point_id", "register_wh", "power_wh", "share")
        .sort("point_id")
    )


def _only_one(points: pl.DataFrame) -> pl.DataFrame:
    """Keep the points that are alone on their device and phase."""
    keys = ["device_id", "phase"]
    return points.filter(pl.len().over(keys) == 1).select("point_id", *keys)
