"""A day that does not fit into memory is cut, and comes out the same, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from unittest import mock

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.days import day_bounds
from energy_platform.lake import lake as lake_module
from energy_platform.lake import opened
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import CLOSED, COMPLETE_UNTIL
from energy_platform.refresh import OutOfMemoryError, refresh, run, stale
from energy_platform.refresh.day_findings import DayFindings, day_findings
from energy_platform.refresh.memory_budget import MemoryBudget
from energy_platform.schemas import INSTANT
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.refresh.world import DAYS, copied, core_bytes, portfolio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Table

TWO_DAYS: Final = DAYS[:2]

SERIALS: Final = ("A", "A-1", "B", "000000", "M/2")
"""``A-1`` lies before ``A/…`` among the points and behind ``A`` among the devices."""

KEYS: Final = ("1", "2", "3")

MOST_ROWS: Final = st.sampled_from((1, 25, 60, 120))


def _portfolio() -> Portfolio:
    lines = ["version: 1", "sites: [{id: mill, name: Mill, timezone: Europe/Paris}]", "devices:"]
    for vendor, key in (("socomec", "Global|0|{}"), ("belimo", "evcloud.{}")):
        for serial in SERIALS[:-1]:
            energy, volume = key.format(1), key.format(2)
            lines += [
                f"  - {{vendor: {vendor}, serial: '{serial}', site: mill, name: M, points: [",
                f"      {{key: '{energy}', name: E, quantity: active_energy_import, unit: Wh,",
                "        max_power_w: none},",
                f"      {{key: '{volume}', name: V, quantity: volume, unit: m³}}]}}",
            ]
    lines += [
        "  - {vendor: skycentrics, serial: A, site: mill, name: G, points: [",
        "      {key: '1', name: P, quantity: active_power, unit: W, energy_from_power: true},",
        "      {key: '2', name: S, quantity: active_energy_import, unit: Wh, kind: increment,",
        "       max_power_w: none}]}",
        "corrections:",
        "  - {points: ['socomec/A/Global|0|1'], from: 2026-03-01T06:00+00:00,",
        "     to: 2026-03-01T12:00+00:00, factor: 2, reason: transformer}",
    ]
    return portfolio("\n".join(lines) + "\n")


KNOWN: Final = _portfolio()


@st.composite
def raw_days(draw: st.DrawFn) -> Mapping[tuple[str, str], pl.DataFrame]:
    """Draw raw days of three sources: transfers, shared serials, strays, unknown points."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    serials = draw(st.lists(st.sampled_from(SERIALS), min_size=1, max_size=3, unique=True))
    second_ids = draw(st.sets(st.sampled_from(serials)))
    return {
        (table.name, day): pl.DataFrame(
            [
                row
                for serial in serials
                for device in range(1 + (serial in second_ids))
                # What only the second id has is known to be another device's by the first series.
                for key in (KEYS[:1] if serial in second_ids and not device else KEYS)
                for row in _rows(table, random, serial=serial, key=key, device=device, day=day)
            ],
            schema=table.schema,
        )
        .unique(table.sort_key, keep="first", maintain_order=True)
        .sort(table.sort_key)
        for day in TWO_DAYS
        for table in (RAW_SOCOMEC_DATAPOINTS, RAW_BELIMO_SAMPLES, RAW_SKYCENTRICS_SAMPLES)
    }


def _rows(
    table: Table, random: np.random.Generator, *, serial: str, key: str, device: int, day: str
) -> Iterator[dict[str, object]]:
    start = day_bounds(day)[0]
    # The second id of a serial number lies among the samples of the first, or behind them.
    first = int(random.choice([0, 0, 700])) if device else 0
    # Ids in another order than serial numbers.
    own_id = f"{'zyxwv'[SERIALS.index(serial)]}-{device}"
    level = 1_000.0 * (device + 1)
    for minute in range(first, 1_440, int(random.choice([60, 240]))):
        level += float(random.choice([0, 5, 40, 40, -200, 5_000]))
        stray = timedelta(days=1) if random.random() < 0.02 else timedelta()
        at = start + timedelta(minutes=minute) + stray
        row: dict[str, object] = {"at": at, "value": level}
        if random.random() < 0.05:
            row |= {"value": None, "value_text": "off"}
        if table is RAW_SOCOMEC_DATAPOINTS:
            row |= {"device_uuid": own_id, "item_type": "Global", "item_index": "0"}
            row |= {"service_id": key, "serial_number": serial}
        elif table is RAW_BELIMO_SAMPLES:
            row |= {"device_id": own_id, "datapoint_id": f"evcloud.{key}"}
            row |= {"serial_number": serial, "dataprofile": "p"}
        else:
            seen = start + timedelta(minutes=int(random.integers(0, 1_440)))
            row |= {"device_id": serial, "sensor_id": key, "units": "", "source": "poll"}
            row |= {"first_seen_at": seen}
        yield row


def _land(lake: Lake, raw: Mapping[tuple[str, str], pl.DataFrame]) -> Lake:
    tables = {
        table.name: table
        for table in (RAW_SOCOMEC_DATAPOINTS, RAW_BELIMO_SAMPLES, RAW_SKYCENTRICS_SAMPLES)
    }
    for (name, day), frame in raw.items():
        meta = {COMPLETE_UNTIL: day_bounds(day)[1].isoformat(), CLOSED: "true"}
        lake.write(tables[name], frame, day=day, meta=meta)
    return lake


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(raw=raw_days(), most_rows=MOST_ROWS)
def test_a_day_that_is_cut_gives_the_same_files_and_the_same_report(
    raw: Mapping[tuple[str, str], pl.DataFrame], most_rows: int
) -> None:
    with (
        # Many row groups, so that shares begin and end in every part of them.
        mock.patch.object(lake_module, "ROW_GROUP", 16),
        mock.patch.object(opened, "ROW_GROUP", 16),
        TemporaryDirectory() as folder,
    ):
        at_once = _land(Lake(Path(folder) / "at_once"), raw)
        in_shares = copied(at_once, Path(folder) / "in_shares")
        expected = refresh(at_once, portfolio=KNOWN, most_rows=1_000_000)
        assert refresh(in_shares, portfolio=KNOWN, most_rows=most_rows) == expected
        assert core_bytes(in_shares) == core_bytes(at_once)
        assert stale(in_shares, KNOWN) == ()
        assert in_shares.leftovers() == []
        # Made again from readings alone, which are then read in shares.
        for lake in (at_once, in_shares):
            for path in lake.root.glob("core_energy_*/*/part.parquet"):
                path.unlink()
        refresh(in_shares, portfolio=KNOWN, most_rows=most_rows)
        refresh(at_once, portfolio=KNOWN)
        assert core_bytes(in_shares) == core_bytes(at_once)


def _found(lake: Lake, day: str, *, most_rows: int) -> DayFindings:
    # What is no energy is taken for the power next to it, which then disagrees.
    is_power = pl.col("key").str.ends_with("2")
    points = KNOWN.points_frame().with_columns(
        every_s=60.0,
        max_power_w=100.0,
        quantity=pl.when(is_power).then(pl.lit("active_power")).otherwise("quantity"),
        kind=pl.when(is_power).then(pl.lit("gauge")).otherwise("kind"),
    )
    return day_findings(
        lake,
        day=day,
        before=DAYS[0] if day > DAYS[0] else None,
        points=points,
        known=points.select("point_id", step_s=pl.lit(60.0), moved_day=pl.lit(day)),
        open_vendors=["belimo"],
        budget=MemoryBudget(memory=10**9, held=0, most_rows=most_rows),
    )


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(raw=raw_days(), most_rows=MOST_ROWS)
@pytest.mark.long
def test_a_day_that_is_cut_is_warned_of_as_the_whole_is(
    raw: Mapping[tuple[str, str], pl.DataFrame], most_rows: int
) -> None:
    with (
        mock.patch.object(lake_module, "ROW_GROUP", 16),
        mock.patch.object(opened, "ROW_GROUP", 16),
        TemporaryDirectory() as folder,
    ):
        lake = _land(Lake(Path(folder)), raw)
        refresh(lake, portfolio=KNOWN)
        for day in TWO_DAYS:
            whole = _found(lake, day, most_rows=1_000_000)
            cut = _found(lake, day, most_rows=most_rows)
            for name in set(DayFindings._fields) - {"spread", "carried"}:
                # All findings are in order but the habits, which nobody lists.
                assert_frame_equal(
                    getattr(cut, name), getattr(whole, name), check_row_order=name != "habits"
                )
            for in_parts, at_once in ((cut.spread, whole.spread), (cut.carried, whole.carried)):
                assert in_parts.expected_wh == pytest.approx(at_once.expected_wh)
                assert in_parts.actual_wh == pytest.approx(at_once.actual_wh)
                assert in_parts.points.height == at_once.points.height == 0


CHILD: Final = """
import sys
from pathlib import Path
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.refresh import refresh
def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1000
before = peak()
folder, text, rows = sys.argv[1:]
refresh(Lake(Path(folder)), portfolio=parse_portfolio(text), most_rows=int(rows))
print(peak() - before)
"""
"""Refreshes a lake and says by how many megabytes its peak rose."""

SMALL: Final = """
version: 1
sites: [{id: mill, name: Mill, timezone: Europe/Paris}]
devices:
  - {vendor: belimo, serial: S000, site: mill, name: Valve, points: [
      {key: evcloud.1, name: Heat, quantity: heating_energy, unit: J, max_power_w: none}]}
"""


def _megabytes(lake: Lake, *, most_rows: int) -> int:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", CHILD, str(lake.root), SMALL, str(most_rows)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def test_a_large_day_takes_the_memory_of_a_share_and_not_of_the_day(tmp_path: Path) -> None:
    """With the whole day loaded the two peaks would be the same."""
    start = day_bounds(DAYS[0])[0]
    devices, minutes = 400, 1_440
    instants = pl.Series([start + timedelta(minutes=n) for n in range(minutes)], dtype=INSTANT)
    frames = (
        pl.DataFrame(
            {
                "device_id": [f"uuid-{device:03d}"] * minutes,
                "datapoint_id": ["evcloud.1"] * minutes,
                "at": instants,
                "value": np.arange(minutes) * 3_600.0,
                "serial_number": [f"S{device * 7 % devices:03d}"] * minutes,
            }
        )
        for device in range(devices)
    )
    whole = [pl.concat([RAW_BELIMO_SAMPLES.empty(), frame], how="diagonal") for frame in frames]
    at_once = Lake(tmp_path / "at_once")
    meta = {COMPLETE_UNTIL: day_bounds(DAYS[0])[1].isoformat(), CLOSED: "true"}
    at_once.write(RAW_BELIMO_SAMPLES, whole, day=DAYS[0], meta=meta)
    in_shares = copied(at_once, tmp_path / "in_shares")
    of_day = _megabytes(at_once, most_rows=devices * minutes)
    of_share = _megabytes(in_shares, most_rows=devices * minutes // 12)
    assert core_bytes(in_shares) == core_bytes(at_once)
    assert of_share < 0.6 * of_day


def test_a_day_that_does_not_fit_is_named_with_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = pl.DataFrame(
        [{"device_id": "A", "datapoint_id": "evcloud.1", "at": day_bounds(DAYS[0])[0]}],
        schema=RAW_BELIMO_SAMPLES.schema,
    ).with_columns(value=pl.lit(1.0), serial_number=pl.lit("A"))
    lake = _land(Lake(tmp_path / "lake"), {(RAW_BELIMO_SAMPLES.name, DAYS[0]): raw})

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(run, "validate_day", fail)
    with pytest.raises(OutOfMemoryError, match=rf"{DAYS[0]}: ENERGY_PLATFORM_MEMORY.*Free memory"):
        refresh(lake, portfolio=KNOWN, memory=1_000_000_000)
    assert lake.leftovers() == []
