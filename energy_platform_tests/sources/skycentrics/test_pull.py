"""A day of SkyCentrics gateways from polls and history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.schemas import violations
from energy_platform.sources.http.errors import AuthenticationError, PermanentError, TransientError
from energy_platform.sources.registry import tables
from energy_platform.sources.skycentrics import Landing, pull
from energy_platform.sources.skycentrics.landing import Line
from energy_platform.sources.skycentrics.merging import merge_polls as fold_rows
from energy_platform.sources.skycentrics.merging import observed_in_polls
from energy_platform.sources.skycentrics.models import Record, Sensor
from energy_platform_tests.sources.http.loopback import Reply
from energy_platform_tests.sources.skycentrics.cloud import (
    GATEWAY,
    Cloud,
    answer,
    records,
    sensor,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.sources.base import DayPull
    from energy_platform.sources.skycentrics import SkycentricsClient

DAY = "2026-01-01"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = MIDNIGHT + timedelta(days=40)
SAMPLES = tables()["raw_skycentrics__samples"]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud().running() as server:
        assert isinstance(server, Cloud)
        yield server


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def land(landing: Landing, polled_at: datetime, *sensors: dict[str, Any]) -> None:
    landing.append(device_id=GATEWAY, polled_at=polled_at, body=answer(*sensors))


def merge_polls(
    landing: Landing,
    *,
    client: SkycentricsClient | None = None,
    day: str = DAY,
    until: datetime = LATER,
) -> DayPull:
    pulled = pull.day(
        client, landing=landing, day=day, until=until, device_ids=[GATEWAY], poll_s=60
    )
    assert pulled.frame is not None
    assert violations(pulled.frame, table=SAMPLES) == []
    return pulled


def rows(pulled: DayPull) -> list[tuple[datetime, float | None, str | None]]:
    assert pulled.frame is not None
    return pulled.frame.select("at", "value", "source").rows()


def minute(number: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=number)


def test_the_inventory_keeps_its_contract(cloud: Cloud) -> None:
    with cloud.client() as client:
        frames = pull.inventory(client)
    for name, frame in frames.items():
        assert violations(frame, table=tables()[name]) == []
    assert frames["raw_skycentrics__devices"].row(0, named=True) == {
        "id": GATEWAY,
        "name": "demo-gateway",
        "type": 250,
        "group": 2001,
        "mac": "020000000001",
    }
    assert frames["raw_skycentrics__sensors"].height == 5


def test_a_poll_round_lands_what_answers_and_names_what_does_not(
    cloud: Cloud, landing: Landing
) -> None:
    cloud.gateways = [GATEWAY, "2"]
    cloud.newest["2"] = Reply(status=500)
    polled_at = datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    with cloud.client(attempts=1) as client:
        report = pull.poll(
            client, landing=landing, device_ids=[GATEWAY, "2"], now=lambda: polled_at
        )
    assert report.landed[GATEWAY].samples == 5
    assert report.failed["2"].status == 500
    assert "newest data, 2" in str(report.failed["2"])
    assert len(rows(merge_polls(landing))) == 5


def test_an_unchanged_time_is_no_new_sample(landing: Landing) -> None:
    for number in range(5):
        land(landing, minute(number), sensor(minute(0), 5.0))
    pulled = merge_polls(landing)
    assert rows(pulled) == [(minute(0), 5.0, "poll")]
    assert (pulled.duplicates, pulled.conflicts) == (4, 0)


def test_a_standing_clock_does_not_rewrite_the_past(landing: Landing) -> None:
    for number in range(3):
        land(landing, minute(number), sensor(minute(0), 5.0 + number))
    pulled = merge_polls(landing)
    assert rows(pulled) == [(minute(0), 5.0, "poll")]
    assert pulled.conflicts == 2


def test_a_null_gives_way_to_a_number_for_the_same_time(landing: Landing) -> None:
    land(landing, minute(0), sensor(minute(0), None))
    land(landing, minute(1), sensor(minute(0), 6.0))
    assert rows(merge_polls(landing)) == [(minute(0), 6.0, "poll")]


def test_one_sensor_twice_in_a_poll_keeps_the_smallest_value_that_is_not_zero(
    landing: Landing,
) -> None:
    land(landing, minute(0), *(sensor(minute(0), value) for value in (9.0, 0.0, 4.0)))
    assert rows(merge_polls(landing)) == [(minute(0), 4.0, "poll")]


def test_a_duplicate_point_with_a_suffix_stays_a_sensor_of_its_own(landing: Landing) -> None:
    land(landing, minute(0), sensor(minute(0), 1.0), sensor(minute(0), 2.0, id="Meter_1_DUP"))
    assert [row[1] for row in rows(merge_polls(landing))] == [1.0, 2.0]


def test_two_sensors_of_one_id_are_set_aside_and_told(landing: Landing) -> None:
    twins = ({"id": "7", "name": "Import"}, {"id": "7", "name": "Export"})
    for number in range(2):
        at = minute(number)
        land(landing, at, sensor(at, 1.0), *(sensor(at, 5.0 + number, **one) for one in twins))
    pulled = merge_polls(landing)
    assert rows(pulled) == [(minute(0), 1.0, "poll"), (minute(1), 1.0, "poll")]
    assert [(one.series, one.value_text, one.reason) for one in pulled.rejects] == [
        ("7", value, "an id that two sensors of the answer have")
        for value in ("5.0", "5.0", "6.0", "6.0")
    ]
    assert (
        "skycentrics gateway 1000000001: two sensors have the id 7: Export (kWh), Import (kWh); "
        "their values are set aside; give one of them another id on the gateway"
    ) in pulled.warnings


def test_a_sensor_renamed_between_two_polls_stays_one_sensor(landing: Landing) -> None:
    for number, name in enumerate(("Main", "Main incomer")):
        land(landing, minute(number), sensor(minute(number), 5.0, name=name))
    pulled = merge_polls(landing)
    assert [value for _, value, _ in rows(pulled)] == [5.0, 5.0]
    assert not pulled.rejects


def test_texts_booleans_and_nulls_are_kept_as_said(landing: Landing) -> None:
    land(
        landing,
        minute(0),
        sensor(minute(0), "active", id="a"),
        sensor(minute(0), data=False, id="b"),
        sensor(minute(0), None, id="c"),
        sensor(minute(0), 0, id="d", units=""),
    )
    pulled = merge_polls(landing)
    assert pulled.frame is not None
    assert pulled.frame.select("value", "value_text", "units").rows() == [
        (None, "active", "kWh"),
        (None, "false", "kWh"),
        (None, None, "kWh"),
        (0.0, None, ""),
    ]
    assert pulled.nulls == 1


def test_times_that_cannot_be_right_are_counted_and_kept_out(landing: Landing) -> None:
    land(
        landing,
        minute(0),
        sensor(0, id="zero"),
        sensor(None, id="none"),
        sensor(minute(4), id="a little ahead"),
        sensor(minute(90), id="wrong clock"),
    )
    pulled = merge_polls(landing)
    assert pulled.frame is not None
    assert pulled.frame["sensor_id"].to_list() == ["a little ahead"]
    ahead, untimed = pulled.warnings[-2:]
    assert "1 samples stamped ahead" in ahead
    assert "wrong clock" in ahead
    assert "2 samples without a time" in untimed


def test_a_time_once_in_the_future_does_not_become_true_by_waiting(landing: Landing) -> None:
    for number in range(0, 120, 30):
        land(landing, minute(number), sensor(minute(90), 5.0))
    assert rows(merge_polls(landing)) == []
    land(landing, minute(91), sensor(minute(90), 6.0))
    assert rows(merge_polls(landing)) == [(minute(90), 6.0, "poll")]


def test_a_time_going_back_is_kept_once(landing: Landing) -> None:
    land(landing, minute(10), sensor(minute(10), 5.0))
    land(landing, minute(11), sensor(minute(3), 6.0))
    land(landing, minute(12), sensor(minute(3), 6.0))
    land(landing, minute(13), sensor(minute(10), 5.0))
    pulled = merge_polls(landing)
    assert [row[0] for row in rows(pulled)] == [minute(3), minute(10)]


def test_a_sample_belongs_to_the_day_of_its_time_not_of_its_poll(landing: Landing) -> None:
    before, after = MIDNIGHT - timedelta(seconds=10), MIDNIGHT + timedelta(seconds=10)
    land(landing, minute(1), sensor(before, 1.0), sensor(after, 2.0, id="Other"))
    assert rows(merge_polls(landing)) == [(after, 2.0, "poll")]
    assert rows(merge_polls(landing, day="2025-12-31")) == [(before, 1.0, "poll")]


def test_an_open_day_holds_nothing_from_after_the_present(landing: Landing) -> None:
    land(landing, minute(0), sensor(minute(0)))
    land(landing, minute(3), sensor(minute(3)))
    assert [row[0] for row in rows(merge_polls(landing, until=minute(3)))] == [minute(0)]


def test_folding_twice_and_after_archiving_gives_the_same_rows(landing: Landing) -> None:
    for number in range(30):
        land(landing, minute(number), sensor(minute(number), float(number)))
    first = merge_polls(landing).frame
    again = merge_polls(landing).frame
    landing.archive(today="2026-02-01")
    archived = merge_polls(landing).frame
    assert first is not None
    assert again is not None
    assert archived is not None
    assert first.equals(again)
    assert first.equals(archived)


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(-3, 12), st.sampled_from([None, 0.0, 1.0, 2.0])),
        max_size=15,
    ),
    st.randoms(),
)
def test_the_order_of_polls_and_polls_landed_twice_change_no_row(
    polls: list[tuple[int, int, float | None]], chance: random.Random
) -> None:
    lines = [
        Line(minute(polled), GATEWAY, Record([Sensor("a", value, _epoch(at))]))
        for polled, at, value in polls
    ]
    again = [*lines, *chance.sample(lines, len(lines) // 2)]
    chance.shuffle(again)
    window = {"start": minute(0), "end": minute(10)}
    first = fold_rows(observed_in_polls(lines), **window).frame
    other = fold_rows(observed_in_polls(again), **window).frame
    assert first.equals(other)
    assert violations(first, table=SAMPLES) == []
    first_polled: dict[tuple[int, float | None], int] = {}
    for polled, at, value in polls:
        first_polled[at, value] = min(polled, first_polled.get((at, value), polled))
    said = {at for (at, _), polled in first_polled.items() if 0 <= at < 10 and at - polled <= 5}
    assert set(first["at"]) == {minute(at) for at in said}


def _epoch(number: int) -> int:
    return int(minute(number).timestamp())


def test_missing_polls_are_a_gap_never_interpolated(landing: Landing) -> None:
    for number in (*range(10), *range(30, 40)):
        land(landing, minute(number), sensor(minute(number)))
    pulled = merge_polls(landing, until=minute(40))
    assert len(rows(pulled)) == 20
    assert "00:09:00 to 00:30:00" in pulled.warnings[0]
    assert GATEWAY in pulled.warnings[0]


def test_a_day_polled_without_a_gap_does_not_ask_for_history(
    cloud: Cloud, landing: Landing
) -> None:
    for number in range(30):
        land(landing, minute(number), sensor(minute(number)))
    with cloud.client() as client:
        pulled = merge_polls(landing, client=client, until=minute(30))
    assert not pulled.warnings
    assert not cloud.seen


def test_history_fills_the_gap_and_polls_win(cloud: Cloud, landing: Landing) -> None:
    cloud.records = records(MIDNIGHT, count=40, step=timedelta(minutes=1))
    for number in range(10):
        land(landing, minute(number), sensor(minute(number), 100.0 + number))
    with cloud.client() as client:
        pulled = merge_polls(landing, client=client, until=minute(40))
    assert [row[2] for row in rows(pulled)] == ["poll"] * 10 + ["history"] * 30
    assert rows(pulled)[9][1] == 109.0
    assert rows(pulled)[10][1] == 10.0
    assert not pulled.warnings


def test_a_history_sensor_without_a_time_has_its_records_time_unrounded(
    cloud: Cloud, landing: Landing
) -> None:
    cloud.records = [
        {"sensors": [{"id": "a", "data": 1}], "time": "2026-01-01 00:59:59"},
        {"sensors": [{"id": "a", "data": 1}], "time": "2026-01-01 00:59:59"},
        {"sensors": [{"id": "a", "data": 2}], "time": "2026-01-01 01:59:59Z"},
    ]
    with cloud.client(history="on") as client:
        pulled = merge_polls(landing, client=client)
    assert [row[:2] for row in rows(pulled)] == [
        (minute(60) - timedelta(seconds=1), 1.0),
        (minute(120) - timedelta(seconds=1), 2.0),
    ]


def test_the_boundary_record_of_the_next_day_stays_in_its_day(
    cloud: Cloud, landing: Landing
) -> None:
    cloud.records = records(MIDNIGHT, count=25, step=timedelta(hours=1))
    with cloud.client() as client:
        assert len(rows(merge_polls(landing, client=client))) == 24


def test_an_account_without_history_leaves_the_gap_and_says_so(
    cloud: Cloud, landing: Landing
) -> None:
    with cloud.client() as client:
        pulled = merge_polls(landing, client=client)
    assert rows(pulled) == []
    assert any("no polls and no history" in warning for warning in pulled.warnings)


def test_history_switched_off_is_never_asked_and_switched_on_must_answer(
    cloud: Cloud, landing: Landing
) -> None:
    with cloud.client(history="off") as client:
        merge_polls(landing, client=client)
    assert not cloud.seen
    with cloud.client(history="on") as client, pytest.raises(PermanentError) as caught:
        merge_polls(landing, client=client)
    assert caught.value.day == DAY


def test_history_that_fails_for_one_day_fails_that_day_only(cloud: Cloud, landing: Landing) -> None:
    cloud.records = records(MIDNIGHT, count=72, step=timedelta(hours=1))
    whole = cloud.route
    cloud.route = lambda seen: (
        Reply(status=502) if seen.query.get("b", "").startswith("2026-01-02") else whole(seen)
    )
    with cloud.client() as client:
        first, second, third = pull.days(
            client,
            landing=landing,
            days=["2026-01-01", "2026-01-02", "2026-01-03"],
            until=LATER,
            device_ids=[GATEWAY],
            poll_s=60,
        )
    assert isinstance(second.error, TransientError)
    message = str(second.error)
    assert all(part in message for part in ("history", GATEWAY, "2026-01-02", "502"))
    assert len(rows(first)) == len(rows(third)) == 24


def test_refused_credentials_end_the_pull(cloud: Cloud, landing: Landing) -> None:
    with (
        cloud.client(client_secret="wrong-Secret-1", history="on") as client,
        pytest.raises(AuthenticationError),
    ):
        list(
            pull.days(
                client,
                landing=landing,
                days=[DAY],
                until=LATER,
                device_ids=[GATEWAY],
                poll_s=60,
            )
        )


def test_a_day_of_sixty_sensors_folds_in_seconds(landing: Landing) -> None:
    names = [f"Sensor_{number}" for number in range(60)]
    for number in range(0, 1440, 10):
        at = minute(number)
        land(landing, at, *(sensor(at, float(number), id=name) for name in names))
    pulled = merge_polls(landing)
    assert isinstance(pulled.frame, pl.DataFrame)
    assert pulled.frame.height == 144 * 60
