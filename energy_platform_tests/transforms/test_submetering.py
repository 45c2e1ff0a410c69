"""What is said of a tree of meters and of instruments on one load, and what is left unsaid."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from energy_platform.transforms.submetering import instrument_problems, remainder_problems

DAY = date(2026, 3, 1)
REMAINDER = {
    "parent_point_id": "main",
    "local_day": DAY,
    "energy_wh": 700.0,
    "allowed_wh": 300.0,
    "missing_point_ids": None,
    "status": "final",
}
PAIR = {
    "point_id": "a",
    "other_point_id": "b",
    "local_day": DAY,
    "verdict": "differ",
    "difference_wh": -2000.0,
    "difference_percent": -4.0,
    "allowed_percent": 1.5,
    "status": "final",
}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    schema = {"missing_point_ids": pl.String(), "energy_wh": pl.Float64()}
    return pl.DataFrame(rows, schema_overrides={k: v for k, v in schema.items() if k in rows[0]})


@pytest.mark.parametrize(
    "fine",
    [
        {},
        {"energy_wh": -299.0},
        {"energy_wh": None},
        {"energy_wh": -0.5, "allowed_wh": 0.0},
        {"energy_wh": -5000.0, "status": "open"},
        {"missing_point_ids": "x", "status": "open"},
        {"missing_point_ids": "x", "status": "closed"},
    ],
)
def test_a_remainder_within_the_classes_or_still_under_way_is_fine(fine: dict[str, Any]) -> None:
    assert remainder_problems(frame(REMAINDER | fine)) == {}


def test_a_remainder_below_zero_and_missing_children_are_said_with_their_day() -> None:
    rows = frame(
        REMAINDER | {"energy_wh": -5000.0},
        REMAINDER | {"parent_point_id": "sub", "missing_point_ids": "x, y", "status": "partial"},
        REMAINDER | {"local_day": date(2026, 3, 2)},
    )
    assert remainder_problems(rows) == {
        "2026-03-01": (
            "main: 5.0 kWh more through its children than through itself (0.3 kWh allowed); "
            "sub: nothing of x, y"
        )
    }


def test_instruments_that_differ_are_said_with_how_far_and_what_is_allowed() -> None:
    assert instrument_problems(frame(PAIR)) == {
        "2026-03-01": "b shows -2.0 kWh (-4.00 %) against a, 1.50 % allowed"
    }


@pytest.mark.parametrize(
    "fine", [{"verdict": "agree"}, {"verdict": "class_not_known"}, {"status": "open"}]
)
def test_instruments_that_agree_or_cannot_be_judged_are_fine(fine: dict[str, str]) -> None:
    assert instrument_problems(frame(PAIR | fine)) == {}
