"""What a day that is not shown to be whole becomes, in the lake and in the catalogue."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from energy_platform.days import day_bounds
from energy_platform.ingest.accepting import accept_answer
from energy_platform.ingest.run import DayOutcome, DiskFullError, ingest_days
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake, LakeError
from energy_platform.lake.raw_days import is_closed, land_snapshot, partial_of
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.coverage import DeviceDay, Reject
from energy_platform.sources.http.errors import AuthenticationError, PermanentError, VendorError
from energy_platform.sources.registry import inventory_tables, reject_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from energy_platform.sources.base import PulledDay
    from energy_platform.sources.coverage import Earlier

DAY = "2026-03-01"
START, END = day_bounds(DAY)
NEXT_MORNING = END + timedelta(hours=1)
WHY = "1 of 2 series (a): left out of every answer"


def rows(*minutes: int, serial: str = "v1", value: float = 1.0, shift_s: int = 0) -> pl.DataFrame:
    stamps = [START + timedelta(minutes=minute, seconds=shift_s) for minute in minutes]
    return pl.DataFrame(
        [(f"id-{serial}", "a", at, value, None, serial, "p/1") for at in stamps],
        schema=RAW_BELIMO_SAMPLES.schema,
        orient="row",
    )


@dataclass
class Answer:
    """What the vendor gives for a day."""

    day: str
    frame: pl.DataFrame | None
    error: VendorError | None = None
    duplicates: int = 0
    conflicts: int = 0
    nulls: int = 0
    warnings: tuple[str, ...] = ()
    devices: tuple[DeviceDay, ...] = ()
    rejects: tuple[Reject, ...] = ()


@dataclass
class Vendor:
    """A vendor whose answers stand ready by day."""

    answers: dict[str, Answer | VendorError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def check_login(self) -> None:
        """Need no login."""

    def inventory(self) -> dict[str, pl.DataFrame]:
        return {table.name: table.empty() for table in inventory_tables()["belimo"]}

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[PulledDay]:
        del until, inventory, earlier
        for day in days:
            self.asked.append(day)
            answer = self.answers.get(day) or Answer(day, rows(1, 2, 3))
            if isinstance(answer, VendorError):
                raise answer
            yield answer


def device(serial: str, *, why: str = "", count: int = 3) -> DeviceDay:
    return DeviceDay(serial, 2, 2, count, START, END, why)


def partial(*minutes: int) -> Answer:
    frame = rows(*minutes)
    return Answer(DAY, frame, devices=(device("v1", why=WHY, count=frame.height), device("v2")))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BELIMO_LATE_DAYS", "2")
    lake = Lake(tmp_path / "lake")
    for table in inventory_tables()["belimo"]:
        land_snapshot(lake, table, table.empty())
    return tmp_path


def read(
    data: Path,
    vendor: Vendor,
    *,
    days: Sequence[str] = (DAY,),
    now: datetime = NEXT_MORNING,
    **options: Any,
) -> list[DayOutcome]:
    with Catalogue(data) as catalogue:
        return list(
            ingest_days(
                vendor,
                vendor="belimo",
                lake=Lake(data / "lake"),
                days=days,
                now=now,
                catalogue=catalogue,
                **options,
            )
        )


def state(data: Path, day: str = DAY) -> tuple[str, str]:
    with Catalogue(data) as catalogue:
        record = catalogue.days("belimo")[day]
    return record.state, record.why


def test_a_partial_day_lands_what_came_says_why_and_is_not_closed(data: Path) -> None:
    (outcome,) = read(data, Vendor({DAY: partial(1, 2)}))

    footer = Lake(data / "lake").footer(RAW_BELIMO_SAMPLES, day=DAY)
    assert footer is not None
    assert (footer.rows, is_closed(footer)) == (2, False)
    assert f"v1: {WHY}" in partial_of(footer)
    assert "1 of 2 devices" in partial_of(footer)
    assert outcome.state == "partial"
    assert state(data) == ("partial", partial_of(footer))
    assert any("device v1" in said and f"since {DAY}" in said for said in outcome.warnings)
    with Catalogue(data) as catalogue:
        assert [one.why_partial for one in catalogue.devices("belimo", DAY)] == [WHY, ""]
        assert catalogue.days("belimo")[DAY].next_at is not None


def test_the_same_partial_answer_is_the_same_file(data: Path) -> None:
    read(data, Vendor({DAY: partial(1, 2)}))
    path = Lake(data / "lake").path(RAW_BELIMO_SAMPLES, day=DAY)
    first = path.read_bytes()
    read(data, Vendor({DAY: partial(1, 2)}), now=NEXT_MORNING + timedelta(hours=5))
    assert path.read_bytes() == first


def test_a_partial_day_is_closed_when_it_is_whole(data: Path) -> None:
    read(data, Vendor({DAY: partial(1, 2)}))
    (outcome,) = read(data, Vendor({DAY: Answer(DAY, rows(1, 2, 3))}))
    footer = Lake(data / "lake").footer(RAW_BELIMO_SAMPLES, day=DAY)
    assert footer is not None
    assert (is_closed(footer), partial_of(footer)) == (True, "")
    assert (outcome.state, *state(data)) == ("whole", "whole", "")


def test_a_partial_day_is_closed_when_the_vendor_says_the_same_for_its_late_days(
    data: Path,
) -> None:
    for hours, closed in ((0, False), (24, False), (47, False), (48, True)):
        read(data, Vendor({DAY: partial(1, 2)}), now=NEXT_MORNING + timedelta(hours=hours))
        footer = Lake(data / "lake").footer(RAW_BELIMO_SAMPLES, day=DAY)
        assert footer is not None
        assert is_closed(footer) is closed
    assert state(data)[0] == "whole"
    assert WHY in state(data)[1]


def test_another_partial_answer_begins_the_late_days_again(data: Path) -> None:
    read(data, Vendor({DAY: partial(1, 2)}))
    read(data, Vendor({DAY: partial(1, 2, 5)}), now=NEXT_MORNING + timedelta(hours=40))
    read(data, Vendor({DAY: partial(1, 2, 5)}), now=NEXT_MORNING + timedelta(hours=50))
    assert state(data)[0] == "partial"


def test_a_whole_day_that_answers_partly_later_stays_whole(data: Path) -> None:
    read(data, Vendor({DAY: Answer(DAY, rows(1, 2, 3))}))
    (outcome,) = read(data, Vendor({DAY: partial(1)}))
    assert outcome.state == "whole"
    assert outcome.landed is not None
    assert (outcome.landed.rows, outcome.landed.closed) == (3, True)


def test_a_failed_day_is_noted_with_its_reason(data: Path) -> None:
    error = PermanentError("no", vendor="belimo", endpoint="history", status=404, day=DAY)
    (outcome,) = read(data, Vendor({DAY: Answer(DAY, None, error=error)}))
    assert outcome.state == "failed"
    assert state(data) == ("failed", str(error))


def test_today_and_intraday_readings_are_not_noted(data: Path) -> None:
    read(data, Vendor({DAY: partial(1)}), now=START + timedelta(hours=2))
    read(data, Vendor({DAY: partial(1)}), closes=False)
    with Catalogue(data) as catalogue:
        assert catalogue.days("belimo") == {}


def test_refused_credentials_end_the_run_and_are_noted_for_the_day(data: Path) -> None:
    refused = AuthenticationError("no", vendor="belimo", endpoint="token")
    vendor = Vendor({"2026-03-02": refused})
    with pytest.raises(AuthenticationError):
        read(data, vendor, days=[DAY, "2026-03-02"], now=NEXT_MORNING + timedelta(days=9))
    assert state(data)[0] == "whole"
    assert state(data, "2026-03-02")[0] == "failed"


def test_one_damaged_file_is_set_aside_and_no_other_day_is_lost(data: Path) -> None:
    days = ["2026-03-01", "2026-03-02", "2026-03-03"]
    now = NEXT_MORNING + timedelta(days=9)
    first = Answer(DAY, rows(1, 2, 3, 4), devices=(device("v1", count=4),))
    read(data, Vendor({DAY: first}), days=days, now=now)
    lake = Lake(data / "lake")
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)

    less = Answer(DAY, rows(1, 2, 3), devices=(device("v1"),))
    outcomes = read(data, Vendor({DAY: less}), days=days, now=now)

    assert [outcome.state for outcome in outcomes] == ["whole"] * 3
    assert lake.read(RAW_BELIMO_SAMPLES, day=DAY).height == 3
    said = " ".join(outcomes[0].warnings)
    assert "damaged" in said
    assert "it had 4 rows, 1 of which the vendor no longer has" in said
    assert "v1 1" in said
    (aside,) = path.parent.glob("part.parquet.damaged-*")
    assert aside.read_bytes() == half


def test_a_full_disk_names_itself_per_day_and_asks_for_no_more(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = ["2026-03-01", "2026-03-02", "2026-03-03"]

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/some/part.parquet")

    vendor = Vendor()
    vendor.answers["2026-03-02"] = Answer("2026-03-02", rows(1))
    landed = read(data, vendor, days=days[:1], now=NEXT_MORNING + timedelta(days=9))
    assert landed[0].state == "whole"
    monkeypatch.setattr("energy_platform.lake.lake.put_in_place", full)
    outcomes = read(data, vendor, days=days[1:], now=NEXT_MORNING + timedelta(days=9))

    assert [outcome.state for outcome in outcomes] == ["failed", "failed"]
    assert all(isinstance(outcome.error, DiskFullError) for outcome in outcomes)
    assert "/some/part.parquet" in str(outcomes[0].error)
    assert str(data / "lake") in str(outcomes[0].error)
    assert "2026-03-03" not in vendor.asked
    assert state(data, "2026-03-03")[0] == "failed"


def test_a_folder_that_may_not_be_written_costs_its_day_only(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from energy_platform.lake import files, lake  # noqa: PLC0415

    def refuse(staged: Path, target: Path) -> None:
        if DAY in str(target):
            raise PermissionError(errno.EACCES, "Permission denied", str(target))
        files.put_in_place(staged, target)

    monkeypatch.setattr(lake, "put_in_place", refuse)
    outcomes = read(data, Vendor(), days=[DAY, "2026-03-02"], now=NEXT_MORNING + timedelta(days=9))
    assert [outcome.state for outcome in outcomes] == ["failed", "whole"]
    assert "Permission denied" in str(outcomes[0].error)


def test_odd_rows_are_kept_one_by_one_and_counted(data: Path) -> None:
    odd = [
        Reject("v1", "a", None, "4", "no stamp"),
        Reject("v1", "a", None, "4", "no stamp"),
        Reject("v1", "b", "yesterday", "5", "a stamp that is no instant with a zone"),
    ]
    answer = Answer(DAY, rows(1, 2), rejects=tuple(odd))
    (outcome,) = read(data, Vendor({DAY: answer}))
    read(data, Vendor({DAY: answer}))

    kept = Lake(data / "lake").read(reject_tables()["belimo"], day=DAY)
    assert kept.drop("row_id").rows() == [
        ("v1", "a", None, "4", "no stamp"),
        ("v1", "a", None, "4", "no stamp"),
        ("v1", "b", "yesterday", "5", "a stamp that is no instant with a zone"),
    ]
    assert kept["row_id"].n_unique() == 3
    assert outcome.counts["rejects"] == 3
    assert outcome.state == "whole"


def test_a_damaged_catalogue_costs_no_day(data: Path) -> None:
    (data / "catalogue.sqlite").write_bytes(b"no database" * 100)
    outcomes = list(
        ingest_days(
            Vendor(), vendor="belimo", lake=Lake(data / "lake"), days=[DAY], now=NEXT_MORNING
        )
    )
    assert outcomes[0].state == "whole"


class TestAcceptedAnswers:
    """A newer answer in place of what a day has."""

    def accept(self, data: Path, vendor: Vendor, *, only: str = "") -> Any:
        return accept_answer(
            vendor,
            vendor="belimo",
            lake=Lake(data / "lake"),
            day=DAY,
            device=only,
            reason="stamped anew",
            operator="somebody",
            now=NEXT_MORNING,
        )

    def test_increments_stamped_anew_count_once_and_the_old_file_is_kept(self, data: Path) -> None:
        read(data, Vendor({DAY: Answer(DAY, rows(0, 15, 30, 45, value=100.0))}))
        anew = Answer(DAY, rows(0, 15, 30, 45, value=100.0, shift_s=30))
        read(data, Vendor({DAY: anew}))
        lake = Lake(data / "lake")
        assert lake.read(RAW_BELIMO_SAMPLES, day=DAY)["value"].sum() == 800

        record = self.accept(data, Vendor({DAY: anew}))

        assert lake.read(RAW_BELIMO_SAMPLES, day=DAY)["value"].sum() == 400
        assert (record.dropped, record.operator, record.reason) == (4, "somebody", "stamped anew")
        assert record.before_id != record.after_id
        before = pl.read_parquet(data / record.kept_in, hive_partitioning=False)
        assert before["value"].sum() == 800
        with Catalogue(data) as catalogue:
            assert catalogue.replacements("belimo", day=DAY) == (record,)
            assert catalogue.replacements("socomec") == ()
        # Read again it stays so.
        read(data, Vendor({DAY: anew}))
        assert lake.read(RAW_BELIMO_SAMPLES, day=DAY).height == 4

    def test_only_the_device_meant_is_replaced(self, data: Path) -> None:
        both = pl.concat([rows(1, 2), rows(1, 2, serial="v2")])
        read(data, Vendor({DAY: Answer(DAY, both)}))
        record = self.accept(data, Vendor({DAY: Answer(DAY, rows(2))}), only="v1")
        left = Lake(data / "lake").read(RAW_BELIMO_SAMPLES, day=DAY)
        assert sorted(left["serial_number"]) == ["v1", "v2", "v2"]
        assert record.dropped == 1

    def test_an_answer_that_is_not_whole_replaces_nothing(self, data: Path) -> None:
        read(data, Vendor({DAY: Answer(DAY, rows(1, 2, 3))}))
        with pytest.raises(LakeError, match="Nothing was replaced"):
            self.accept(data, Vendor({DAY: partial(1)}))
        assert Lake(data / "lake").read(RAW_BELIMO_SAMPLES, day=DAY).height == 3
        assert list((data / "replaced").rglob("*.parquet")) == []
        assert state(data) == ("whole", "")

    def test_a_day_that_is_not_there_is_named_with_what_to_do(self, data: Path) -> None:
        with pytest.raises(LakeError, match="backfill belimo 2026-03-01 2026-03-01"):
            self.accept(data, Vendor())
