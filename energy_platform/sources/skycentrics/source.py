"""SkyCentrics as a source: what polls landed, folded into days, with history where there is any."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

from energy_platform.sources.base import Address, SourceCheck
from energy_platform.sources.skycentrics import pull
from energy_platform.sources.skycentrics.client import SkycentricsClient
from energy_platform.sources.skycentrics.landing import Landing
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from energy_platform.portfolio import Portfolio
    from energy_platform.sources.base import PulledDay, SourceContext
    from energy_platform.sources.coverage import Earlier
    from energy_platform.sources.skycentrics.settings import SkycentricsSettings

POLLS_MISSED: Final = 5
"""Poll periods without a poll after which samples are being lost."""


@dataclass(frozen=True)
class SkycentricsSource:
    """SkyCentrics: what polls landed, and history where the account has it."""

    client: SkycentricsClient
    landing: Landing
    portfolio: Portfolio

    def check_login(self) -> None:
        """Make signed calls; a list of gateways in the settings would answer without one."""
        for device_id in self.client.device_ids()[:1]:
            self.client.device(device_id)

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name."""
        return pull.inventory(self.client)

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[PulledDay]:
        """Yield every day once: its rows or its error."""
        self.client.patience.allow_days(len(days))
        return pull.days(
            self.client,
            landing=self.landing,
            days=days,
            until=until,
            device_ids=inventory[RAW_SKYCENTRICS_DEVICES.name]["id"].to_list(),
            poll_s=self.client.settings.poll_s,
            left_out=self.portfolio.left_out("skycentrics"),
            earlier=earlier,
        )


@contextmanager
def open_skycentrics(
    settings: SkycentricsSettings, context: SourceContext
) -> Iterator[SkycentricsSource]:
    """Open SkyCentrics with an account's credentials.

    Raises:
        SettingsError: A credential is not set, or the trust store or proxy cannot be used.
    """
    with SkycentricsClient(settings, logins=context.logins) as client:
        yield SkycentricsSource(client, landing_at(context.landing), context.portfolio)


@cache
def landing_at(folder: Path) -> Landing:
    """Return the landing folder; one object a process, which remembers what it has seen."""
    return Landing(folder)


def poll(
    settings: SkycentricsSettings, context: SourceContext, now: Callable[[], datetime]
) -> pull.PollReport:
    """Poll every gateway once; when this returns, the answers are on disk.

    The gateways are those of the inventory, or of the account before there is one, without those
    that the portfolio leaves out.

    Args:
        settings: The account.
        context: The inventory, the portfolio and the folder of the polls.
        now: The present.

    Raises:
        SettingsError: A credential is missing.
        VendorError: The account's gateways could not be listed.
        OSError: The disk refuses.
    """
    left_out = context.portfolio.left_out("skycentrics")
    listed: list[str] = []
    if context.lake is not None:
        listed = context.lake.read(RAW_SKYCENTRICS_DEVICES)["id"].to_list()
    with SkycentricsClient(settings, logins=context.logins) as client:
        return pull.poll(
            client,
            landing=landing_at(context.landing),
            device_ids=[one for one in listed or client.device_ids() if one not in left_out],
            now=now,
        )


def polled_at(folder: Path) -> datetime | None:
    """Return when a poll last landed; None where none ever did."""
    days = sorted(folder.glob("day=*"))[-2:]
    times = [path.stat().st_mtime for day in days for path in day.glob("*.jsonl")]
    return datetime.fromtimestamp(max(times), tz=UTC) if times else None


def polled_days(folder: Path) -> list[str]:
    """Return the days that have polls, in order."""
    return landing_at(folder).days()


def archive_polls(folder: Path, today: str, keep_days: int | None) -> int:
    """Compress old polls, drop those older than ``keep_days``; return how many were compressed."""
    return landing_at(folder).archive(today=today, keep_days=keep_days).compressed


def addresses(settings: SkycentricsSettings) -> list[Address]:
    """Return where SkyCentrics is spoken to."""
    return [Address("skycentrics", f"{settings.api_url.rstrip('/')}/devices/")]


def check_polls(
    settings: SkycentricsSettings, context: SourceContext, now: datetime
) -> Iterator[SourceCheck]:
    """Check that every gateway was polled lately; a missed poll is lost without history."""
    newest = Landing(context.landing).newest_polls()
    advice = "Polls are made while `energy-platform ui` or the service runs; start it"
    if not newest:
        yield SourceCheck(
            "polls", is_ok=False, message="no gateway was polled in the last days", advice=advice
        )
    for device_id, at in sorted(newest.items()):
        age = now - at
        is_ok = age <= timedelta(seconds=POLLS_MISSED * settings.poll_s)
        message = f"gateway {device_id} was polled {_ago(age)} ago"
        yield SourceCheck("polls", is_ok, message, "" if is_ok else advice)


def _ago(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:  # noqa: PLR2004 - two hours
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2 * 1440 else f"{minutes // 1440} days"
