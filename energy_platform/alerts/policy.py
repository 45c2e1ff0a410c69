"""The alert settings as the other modules here take them."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import TYPE_CHECKING, get_args

from energy_platform.alerts.conditions import Kind
from energy_platform.alerts.messages import Writer

if TYPE_CHECKING:
    from energy_platform.settings import AlertSettings, Settings


def waits(settings: AlertSettings) -> dict[Kind, timedelta | None]:
    """Return how long each kind of condition must last before it is reported; None: never."""
    limits: dict[Kind, timedelta | None] = {}
    for kind in get_args(Kind):
        minutes = getattr(settings, f"{kind}_min")
        limits[kind] = None if minutes == "off" else timedelta(minutes=minutes)
    return limits


def writer_of(settings: Settings) -> Writer:
    """Return what puts conditions into words for this installation."""
    name = settings.alerts.name or socket.gethostname()
    return Writer(where=name, hidden=secrets_of(settings))


def secrets_of(settings: Settings) -> list[str]:
    """Return every secret of the settings, to keep them out of messages."""
    secrets: list[str] = []
    for section in settings.all_sections():
        for name in type(section).model_fields:
            value = getattr(section, name)
            if hasattr(value, "get_secret_value"):
                secrets.append(value.get_secret_value())
    secrets += [
        one.password.get_secret_value()
        for target in settings.destinations.values()
        for one in target.all_credentials().values()
    ]
    return sorted(set(secrets))
