"""Checks of the backups, and of streams that were put back from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.backup import newest_backup
from energy_platform.delivery import LEDGER_FILE, LedgerError, open_ledger
from energy_platform.doctor.check_result import ok, warn

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from datetime import datetime

    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.settings import PlatformSettings


def check_backup(platform: PlatformSettings, *, now: datetime) -> CheckResult:
    """Say how old the newest backup is, where backups are set.

    Args:
        platform: Where backups are kept.
        now: The present.
    """
    if platform.backup_folder is None:
        return ok(
            "backup",
            "",
            "none is taken each night: ENERGY_PLATFORM_BACKUP_FOLDER is not set",
        )
    newest = newest_backup(platform.backup_folder, now=now)
    if newest.is_old:
        return warn(
            "backup",
            "",
            newest.sentence,
            "See whether the folder is mounted, and why the job `backup` of 03:20 UTC did not run "
            "or failed; `energy-platform backup` takes one now",
        )
    return ok("backup", "", newest.sentence)


def check_restored(platform: PlatformSettings, *, streams: Container[str]) -> Iterator[CheckResult]:
    """Name the streams that were put back from a backup and have not read back since.

    Args:
        platform: Names the ledger.
        streams: Ids of the portfolio's streams.
    """
    if platform.ledger_url is None and not (platform.data_dir / LEDGER_FILE).exists():
        return
    try:
        with open_ledger(platform) as ledger:
            states = ledger.states()
    except LedgerError:  # said by the check of the database
        return
    waiting = [name for name, one in sorted(states.items()) if one.is_restored and name in streams]
    if not waiting:
        return
    reasons = [why for name in waiting if (why := states[name].failure or states[name].stopped)]
    why = reasons[0] if reasons else "no push has asked yet"
    yield warn(
        "restored",
        "",
        f"{len(waiting)} streams were restored from a backup and send nothing before they have "
        f"read back what their destination holds, such as {waiting[0]}: {why}",
        "The next push asks again; `energy-platform delivery status` shows each stream",
    )
