"""The written-out examples of docs/energy.md, run against the real function."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
import yaml

from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.policy import CounterPolicy
from energy_platform_tests.transforms.histories import POINT, QUARTER, START, pending, rows_frame

PAGE: Final = Path(__file__).parents[2] / "docs" / "energy.md"

STEP: Final = re.compile(r"(?P<status>\w+) (?P<energy>[-\d.]+|null)(?: \((?P<notes>.*?)\))?$")

ROUTINE_REASONS: Final = {
    "first_reading",
    "count_after",
    "spike_reversed",
    "above_limit",
    "within_dip_ratio",
    "longer_than_gap_after",
    "modulus",
}
"""Reasons that say no more than the status; examples leave them out."""


@dataclass(frozen=True)
class Example:
    name: str
    policy: CounterPolicy
    loads: list[pl.DataFrame]
    steps: list[list[str]]
    pending: list[float] | None
    total: float | None


def duration(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]])


def loads_of(text: str, *, every: timedelta) -> list[pl.DataFrame]:
    at, pause, loads = START, timedelta(0), []
    for part in text.split("|"):
        rows: list[tuple[str, datetime, float]] = []
        for token in part.split():
            if token.startswith("+") and "x" not in token:
                pause = duration(token[1:])
                continue
            values, _, many = token.partition("x")
            if values.startswith("+"):
                for _ in range(int(many)):
                    at += pause
                    rows.append((POINT, at, rows[-1][2] + float(values)))
                    pause = every
                continue
            for _ in range(int(many or 1)):
                at += pause
                rows += [(POINT, at, float(value)) for value in values.split("/")]
                pause = every
        loads.append(rows_frame(rows))
    return loads


def policy_of(entry: dict[str, Any]) -> CounterPolicy:
    markers = tuple(
        START + duration(marker["at"])
        if "final_wh" not in marker
        else (START + duration(marker["at"]), marker["final_wh"], marker["start_wh"])
        for marker in entry.pop("reset_markers", [])
    )
    accepted = tuple(
        (START + duration(span["from"]), START + duration(span["to"]))
        for span in entry.pop("accepted", [])
    )
    return CounterPolicy(**entry, reset_markers=markers, accepted=accepted)


def examples() -> list[Example]:
    found = []
    for block in re.findall(r"```energy\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        entry = yaml.safe_load(block)
        every = duration(entry["every"]) if "every" in entry else QUARTER
        found.append(
            Example(
                name=entry["name"],
                policy=policy_of(entry.get("policy", {})),
                loads=loads_of(str(entry["readings"]), every=every),
                steps=[
                    [
                        step.strip()
                        for step in re.split(r",(?![^(]*\))", load)
                        if step.strip() != "-"
                    ]
                    for load in entry["steps"].split("|")
                ],
                pending=[float(v) for v in str(entry["pending"]).split()]
                if "pending" in entry
                else None,
                total=entry.get("total"),
            )
        )
    return found


def said(row: dict[str, Any]) -> str:
    """Write a row as the examples do."""
    notes = []
    if row["reason"] not in {None, *ROUTINE_REASONS}:
        notes.append(row["reason"])
    if row["refused_wh"]:
        notes.append(f"refused {row['refused_wh']:.10g}")
    if row["dropped"]:
        notes.append(f"dropped {row['dropped']}")
    if row["estimated"]:
        notes.append("estimated")
    energy = "null" if row["energy_wh"] is None else f"{round(row['energy_wh'], 6):g}"
    if row["energy_wh"] is not None and row["energy_wh"] == int(row["energy_wh"]):
        energy = str(int(row["energy_wh"]))
    return f"{row['status']} {energy}" + (f" ({', '.join(notes)})" if notes else "")


EXAMPLES: Final = examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_the_page_says_what_the_function_does(example: Example) -> None:
    state: pl.DataFrame | None = None
    steps = []
    for load in example.loads:
        result = energy_deltas(load, state=state, policy=example.policy)
        state = result.state
        steps.append([said(row) for row in result.deltas.iter_rows(named=True)])
    assert steps == example.steps
    assert state is not None
    if example.total is not None:
        assert state.filter(pl.col("kind") == "good")["total_wh"].to_list() == [example.total]
    assert pending(state)["value_wh"].to_list() == (example.pending or [])


def test_the_page_has_every_status_and_every_way_to_value_a_fall() -> None:
    statuses = {
        match["status"]
        for example in EXAMPLES
        for load in example.steps
        for step in load
        if (match := STEP.match(step))
    }
    expected = {
        "first",
        "exchange",
        "rollover",
        "reset",
        "spike_reversal",
        "over_limit",
        "dip",
        "gap",
        "ok",
    }
    assert statuses == expected
    assert {example.policy.on_fall for example in EXAMPLES} == {
        "count_after",
        "zero",
        "null",
        "signed",
        "count_after_minus_base",
        "zero_is_missing",
    }
