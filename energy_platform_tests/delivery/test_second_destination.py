"""The engine delivers to a destination it has never heard of, through a crash as well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pytest

from energy_platform.delivery import (
    Ledger,
    PushOutcome,
    delivery_frame,
    push,
    push_decision,
    reconcile,
)
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio, load_portfolio
from energy_platform_tests.delivery.scenario import Scenario, point, regular, rising, utc
from energy_platform_tests.destinations import json_lines
from energy_platform_tests.destinations.json_lines import JsonLinesSettings, LineServer

if TYPE_CHECKING:
    from collections.abc import Iterator

START, END = utc("2026-03-01 00:00"), utc("2026-03-02 00:00")
QUARTER = timedelta(minutes=15)
METERS = 3
PORTFOLIO = """version: 1
sites:
  - {{id: s, name: Site, timezone: Europe/Paris}}
device_types:
  meter:
    points:
      - {{key: E, name: Energy, quantity: active_energy_import, unit: Wh}}
devices:
{devices}
streams:
{streams}
  - {{id: el-1, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {{pC_1: socomec/M1/E}}}}
"""


class Place(NamedTuple):
    """A day of three meters, a ledger and a line server."""

    folder: Path
    portfolio: Portfolio
    server: LineServer

    def push(self, ledger: Ledger) -> PushOutcome:
        """Push once."""
        return push_once(self.folder, self.server.url, ledger)

    def instants(self, stream: str) -> list[datetime]:
        """Return the instants of a stream's lines, in the order they came."""
        return [datetime.fromisoformat(line["at"]) for line in self.server.of(stream)]


def settings_for(url: str) -> JsonLinesSettings:
    return JsonLinesSettings.model_validate(
        {
            "base_url": url,
            "username": "u",
            "password": "p",
            "give_up_s": 5,
            "max_backoff_s": 0.05,
            "read_timeout_s": 5,
        }
    )


def push_once(folder: Path, url: str, ledger: Ledger) -> PushOutcome:
    return push(
        Lake(folder / "lake"),
        ledger=ledger,
        portfolio=load_portfolio(folder / "portfolio.yaml"),
        settings=settings_for(url),
        clock=lambda: END,
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    path = tmp_path / "portfolio.yaml"
    path.write_text(
        PORTFOLIO.format(
            devices="\n".join(
                f"  - {{vendor: socomec, serial: M{n}, site: s, name: M{n}, type: meter,"
                " max_power_w: none}"
                for n in range(1, METERS + 1)
            ),
            streams="\n".join(
                f"  - {{id: line-{n}, destination: json_lines, site: s, credential: default,"
                f" interval: 15m, reading: {'per_interval' if n == METERS else 'cumulative'},"
                f" unit: kWh, fields: {{energy: socomec/M{n}/E}}}}"
                for n in range(1, METERS + 1)
            ),
        ),
        encoding="utf-8",
    )
    scenario = Scenario(Lake(tmp_path / "lake"))
    for n in range(1, METERS + 1):
        scenario.registers[point(n)] = regular(
            START, END - QUARTER, every=QUARTER, value=rising(START, face_wh=n, power_w=1000)
        )
    scenario.write_days("2026-03-01")
    with (
        json_lines.installed_in(tmp_path / "site-packages", monkeypatch),
        json_lines.line_server(tmp_path / "lines") as server,
    ):
        yield Place(tmp_path, load_portfolio(path), server)


def whole(first: datetime) -> list[datetime]:
    """Every quarter of the day from a first one on."""
    found = []
    while first < END:
        found.append(first)
        first += QUARTER
    return found


def test_lines_arrive_once_in_order_and_the_ledger_names_where(place: Place) -> None:
    with Ledger.at(place.folder / "ledger.sqlite") as ledger:
        outcome = place.push(ledger)
        assert outcome.ok, outcome.problems
        assert set(outcome.streams) == {"line-1", "line-2", "line-3"}, "no other destination's"
        assert place.instants("line-1") == whole(START)
        assert place.server.of("line-2")[-1]["energy"] == pytest.approx(0.002 + 23.75)
        assert sum(line["energy"] for line in place.server.of("line-3")) == pytest.approx(23.75)
        assert {state.destination for state in ledger.states().values()} == {"json_lines"}
        with ledger.engine.connect() as connection:
            query = "SELECT DISTINCT destination FROM packets"
            assert connection.exec_driver_sql(query).scalars().all() == ["json_lines"]
        assert place.push(ledger).sent == 0
        lake = Lake(place.folder / "lake")
        there, still = (
            push_decision(lake, ledger, place.portfolio, now=END, destination=name)
            for name in ("json_lines", "wattics")
        )
        assert (there.is_wanted, there.reason) == (False, "the line server holds all that is ready")
        assert still.is_wanted
        rows = reconcile(
            lake,
            ledger=ledger,
            portfolio=place.portfolio,
            settings=settings_for(place.server.url),
            clock=lambda: END,
        )
        assert [one.differences for one in rows] == [(), (), ()]
        frame = delivery_frame(ledger, lake, place.portfolio)
        assert frame["stream_id"].to_list() == ["el-1", "line-1", "line-2", "line-3"]


@pytest.mark.crash
def test_killed_in_the_middle_it_goes_on_and_nothing_arrives_twice(place: Place) -> None:
    place.server.delay_s = 0.02
    order = json.dumps([str(place.folder), place.server.url])
    path = os.pathsep.join([str(place.folder / "site-packages"), *sys.path])
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", __name__, order], env=os.environ | {"PYTHONPATH": path}
    )
    try:
        deadline = time.monotonic() + 120
        while len(place.server.lines()) < 20:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    assert len(place.server.lines()) < METERS * 95
    with Ledger.at(place.folder / "ledger.sqlite") as ledger:
        assert sum(ledger.pending_counts().values()) > 0
        outcome = place.push(ledger)
        assert outcome.ok, outcome.problems
        for n in range(1, METERS + 1):
            first = place.instants(f"line-{n}")[0]
            assert place.instants(f"line-{n}") == whole(first)
            assert first <= START + QUARTER


def test_a_refused_credential_stops_that_destination_only(place: Place) -> None:
    place.server.password = "another"
    with Ledger.at(place.folder / "ledger.sqlite") as ledger:
        outcome = place.push(ledger)
        assert not outcome.ok
        assert set(ledger.stopped_credentials("json_lines")) == {"default"}
        assert ledger.stopped_credentials("wattics") == {}
        assert place.server.lines() == []


def test_a_lost_answer_is_looked_up_and_not_sent_twice(place: Place) -> None:
    place.server.die_after = 10
    with Ledger.at(place.folder / "ledger.sqlite") as ledger:
        place.push(ledger)
        place.server.die_after = None
        assert place.push(ledger).ok
    instants = place.instants(f"line-{METERS}")
    assert instants == sorted(set(instants)), "a value per interval never comes twice"


def test_a_stream_that_changes_its_destination_needs_another_id(place: Place) -> None:
    with Ledger.at(place.folder / "ledger.sqlite") as ledger:
        place.push(ledger)
        path = place.folder / "portfolio.yaml"
        text = path.read_text(encoding="utf-8").replace("el-1", "el-2")
        text = text.replace(
            "id: line-1, destination: json_lines,", "id: line-1, kind: value,"
        ).replace("{energy: socomec/M1/E}", "{value: socomec/M1/E}")
        path.write_text(text, encoding="utf-8")
        lake = Lake(place.folder / "lake")
        frame = delivery_frame(ledger, lake, load_portfolio(path))
        row = frame.row(by_predicate=pl.col("stream_id") == "line-1", named=True)
    assert row["blocked"]
    assert (
        row["reason"] == "was delivered to json_lines so far; at Wattics it needs an id of its own"
    )


if __name__ == "__main__":
    FOLDER, URL = json.loads(sys.argv[1])
    with Ledger.at(Path(FOLDER) / "ledger.sqlite") as opened:
        push_once(Path(FOLDER), URL, opened)
