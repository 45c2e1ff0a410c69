"""``energy-platform accept-answer``: a vendor's newer answer replaces what a day has."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from energy_platform.cli.days import typed_day
from energy_platform.cli.near import meant
from energy_platform.cli.progress import working
from energy_platform.ingest.accepting import accept_answer
from energy_platform.installation.origin import claim
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import load_portfolio
from energy_platform.settings import Settings, SettingsError
from energy_platform.sources import source_names
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.registry import get_source, landing_folder, open_source

if TYPE_CHECKING:
    from rich.console import Console

    from energy_platform.lake.catalogue import Replacement


def run_accept_answer(console: Console, *, source: str, day: str, device: str, reason: str) -> int:
    """Read a day again, let the answer replace its rows, and keep a record.

    Returns:
        0.

    Raises:
        SettingsError: The source, day or reason makes no sense, or a variable is wrong.
        LakeError: Nothing was replaced; says why.
        VendorError: The vendor did not answer; nothing was replaced.
    """
    if source not in source_names():
        raise SettingsError(f"unknown source {source!r}; {meant(source, source_names())}")
    vendor = get_source(source).name
    typed_day(day)
    if not reason.strip():
        raise SettingsError("expected a reason: what was wrong with the answer before?")
    platform = Settings.load().platform
    claim(platform.data_dir, origin="live")
    portfolio = load_portfolio(platform.portfolio)
    lake = Lake.of(platform)
    with (
        working(f"reading {vendor} of {day}"),
        open_source(
            vendor,
            portfolio=portfolio,
            landing=landing_folder(platform.data_dir, source=vendor),
            logins=RefusedLogins.of(platform.data_dir),
            lake=lake,
        ) as opened,
    ):
        replacement = accept_answer(
            opened,
            vendor=vendor,
            lake=lake,
            day=day,
            device=device,
            reason=reason.strip(),
            operator=getpass.getuser(),
            now=datetime.now(tz=UTC),
        )
    console.print(sentence(replacement), markup=False, highlight=False, soft_wrap=True)
    console.print(
        "The next refresh recomputes what was made of it.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0


def sentence(replacement: Replacement) -> str:
    """Say what was replaced, by whom and why, in one line."""
    whose = f" of device {replacement.device}" if replacement.device else ""
    kept = f"; before: {replacement.kept_in}" if replacement.kept_in else ""
    return (
        f"{replacement.source} {replacement.day}{whose}: newer answer accepted by "
        f"{replacement.operator} at {replacement.at:%Y-%m-%d %H:%MZ} ({replacement.reason}): "
        f"{replacement.dropped} rows dropped, {replacement.changed} changed, "
        f"{replacement.before_id[:8]} became {replacement.after_id[:8]}{kept}"
    )
