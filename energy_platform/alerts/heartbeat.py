"""A sign of life: a service that stops hearing it reports what this machine no longer can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from energy_platform.settings import LOOPBACK, SettingsError
from energy_platform.sources.http.tls import ssl_context

if TYPE_CHECKING:
    from energy_platform.settings import AlertSettings

TIMEOUT_S: Final = 10.0
"""Seconds until a heartbeat counts as not sent; the next one follows soon."""

_VARIABLE: Final = "ENERGY_PLATFORM_ALERT_HEARTBEAT_URL"


def send_heartbeat(settings: AlertSettings) -> str:
    """Ask the heartbeat's address once.

    Returns:
        Why it was not heard, without the address, which is a secret; empty when it was.

    Raises:
        SettingsError: The address is neither https nor on this machine.
    """
    if settings.heartbeat_url is None:
        return ""
    url = settings.heartbeat_url.get_secret_value()
    parts = urlsplit(url)
    is_local = parts.hostname in LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise SettingsError(f"{_VARIABLE}: expected an https:// address")
    try:
        with httpx.Client(
            timeout=TIMEOUT_S,
            verify=ssl_context(settings.ca_file) if parts.scheme == "https" else False,
            trust_env=not is_local,
            headers={"User-Agent": "energy-platform"},
        ) as client:
            status = client.get(url).status_code
    except httpx.HTTPError as error:
        return f"the heartbeat was not heard ({type(error).__name__})"
    if httpx.codes.is_error(status):
        return f"the heartbeat was not heard (HTTP {status})"
    return ""
