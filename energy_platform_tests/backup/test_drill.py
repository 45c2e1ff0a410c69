"""The restore drill: backed up while it writes, the machine lost, restored elsewhere, gone on."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.days import day_range
from energy_platform.lake.lake import Lake
from energy_platform.schemas import DERIVED_TABLES
from energy_platform.sources.registry import day_tables
from energy_platform_tests.alive.command import Installation, day_ago, installation

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND, LAST = day_ago(3), day_ago(2), day_ago(1)
LONGEST_S = 1200.0


def backfill(place: Installation, first: str, last: str) -> None:
    code, output = place.command("backfill", "all", first, last).end(seconds=LONGEST_S)
    assert code == 0, output


def asked(place: Installation, *words: str) -> dict[str, Any]:
    """Return what a command printed as JSON."""
    code, output = place.command(*words, "--json").end(seconds=LONGEST_S)
    assert code == 0, output
    found: dict[str, Any] = json.loads(output[output.index("{") :])
    return found


def lake_of(data: Path) -> dict[tuple[str, str], str]:
    """Return the digest of the rows of every day, by table and day."""
    lake = Lake(data / "lake")
    return {
        (table.name, day): footer.content_id
        for table in (*day_tables().values(), *DERIVED_TABLES)
        for day, footer in lake.footers(table).items()
        if day in day_range(FIRST, LAST)
    }


def delivered(place: Installation) -> dict[str, tuple[Any, ...]]:
    """Return how each stream stands at the simulated Wattics, which has no complaint."""
    report = place.suite.ask("/delivery-report")
    assert report["clean"], report["complaints"]
    return {
        name: tuple(
            one[key]
            for key in ("packets", "first_at", "last_at", "missing_intervals", "repeats", "refused")
        )
        for name, one in report["streams"].items()
    }


@pytest.mark.long
@pytest.mark.end_to_end
@pytest.mark.timeout(7200)
def test_after_the_machine_is_lost_all_is_as_if_it_never_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backups = str(tmp_path / "backups")
    with installation(tmp_path / "lost" / "data") as place:
        backfill(place, FIRST, FIRST)
        asked(place, "backup", backups)
        # Backed up while it reads, computes and sends, at moments nobody chose.
        running = place.command("backfill", "all", SECOND, SECOND)
        taken = [asked(place, "backup", backups, "--keep", "3")]
        while running.process.poll() is None:
            taken.append(asked(place, "backup", backups, "--keep", "3"))
        assert running.end()[0] == 0
        sent_by_backup = taken[-2 if len(taken) > 1 else -1]
        backfill(place, LAST, LAST)
        before = delivered(place)
        shutil.rmtree(place.data)

        began = time.monotonic()
        elsewhere = tmp_path / "elsewhere" / "data"
        at = sent_by_backup["taken_at"]
        place.environment |= {
            "ENERGY_PLATFORM_DATA_DIR": str(elsewhere),
            "ENERGY_PLATFORM_PORTFOLIO": str(elsewhere / "portfolio.yaml"),
        }
        assert asked(place, "restore", backups, "--verify-only")["problems"] == []
        restored = asked(place, "restore", backups, "--at", at)
        put_back_s = time.monotonic() - began
        assert restored["streams"] == len(before)
        place.data = elsewhere
        backfill(place, FIRST, LAST)
        gone_on_s = time.monotonic() - began
        after = delivered(place)
        lake = lake_of(elsewhere)
        rows = place.command("delivery", "status", "--json").end()[1]
        assert not [one for one in json.loads(rows) if "restored" in (one["reason"] or "")]
    with installation(tmp_path / "never" / "data") as place:
        backfill(place, FIRST, LAST)
        assert lake == lake_of(place.data)
        assert after == delivered(place)
    with capsys.disabled():
        print(  # noqa: T201 - the figures of the drill
            f"\nbackups while it ran: {len(taken)}, each of {taken[-1]['files']} files, "
            f"{taken[-1]['seconds']} s; verified and put back in {put_back_s:.0f} s; all days read "
            f"again and delivered {gone_on_s / 60:.1f} min after the loss; {len(lake)} day files "
            f"and {sum(one[0] for one in after.values())} packets as without a loss"
        )
