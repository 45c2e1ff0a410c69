"""Checks of the alerts: whether messages can leave this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.alerts import ALERTS_FILE, AlertStore, AlertStoreError, channels_of
from energy_platform.doctor.check_result import ok, warn
from energy_platform.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.settings import AlertSettings

CHECK: Final = "alerts"


def check_alerts(settings: AlertSettings, *, data_dir: Path) -> Iterator[CheckResult]:
    """Check the channels and what they did not accept; nothing is sent.

    Args:
        settings: The channels.
        data_dir: Where it is remembered what was sent.
    """
    try:
        channels = channels_of(settings)
    except SettingsError as error:
        yield warn(CHECK, "", str(error), "Correct it, then `energy-platform alert test`")
        return
    if not channels:
        yield warn(
            CHECK,
            "",
            "no channel is set: nobody is notified when something is wrong",
            "Set ENERGY_PLATFORM_ALERT_MAIL_URL or another channel (docs/alerts.md)",
        )
        return
    names = ", ".join(channel.name for channel in channels)
    yield ok(CHECK, "", f"messages leave by {names}")
    if not (data_dir / ALERTS_FILE).exists():
        return
    try:
        with AlertStore.of(data_dir) as store:
            troubles = store.troubles()
    except AlertStoreError as error:
        yield warn(CHECK, "", str(error))
        return
    for name, trouble in troubles.items():
        yield warn(CHECK, name, trouble, "`energy-platform alert test` tries it")
