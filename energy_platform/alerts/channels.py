"""Where messages go: one apprise address each, and nothing of it ever shown."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import apprise

from energy_platform.settings import LOOPBACK, SettingsError
from energy_platform.sources.http.tls import bundle_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from energy_platform.settings import AlertSettings

_ASSET: Final = apprise.AppriseAsset(
    app_id="energy_platform", secure_logging=True, async_mode=False
)

_TRUST: Final = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_ENVIRONMENT: Final = threading.Lock()

NAMES: Final = ("mail", "slack", "teams", "webhook")
"""The channels, each with a setting ENERGY_PLATFORM_ALERT_<NAME>_URL."""

REPORTS: Final = "reports"
"""The channel of reports with an address of their own, ENERGY_PLATFORM_REPORT_URL."""


class ChannelError(RuntimeError):
    """A service did not accept a message; says what it answered, without its address."""


class Channel(NamedTuple):
    """One way out of the machine."""

    name: str
    service: apprise.NotifyBase
    ca_file: Path | None = None

    def __repr__(self) -> str:
        return f"Channel({self.name})"

    def send(self, *, title: str, body: str, attachments: Sequence[Path] = ()) -> None:
        """Hand a message to the service.

        Args:
            title: Its title.
            body: Its text.
            attachments: Files that go with it; those that are gone are named in the text.

        Raises:
            ChannelError: It was not accepted.
        """
        there = [one for one in attachments if one.is_file()]
        if gone := ", ".join(one.name for one in attachments if one not in there):
            body = f"{body}\n\nNot attached, since they are gone: {gone}"
        more = {"attach": apprise.AppriseAttachment([str(one) for one in there])} if there else {}
        capture = apprise.LogCapture(  # type: ignore[no-untyped-call]
            level=logging.WARNING, fmt="%(message)s"
        )
        with _trusting(self.ca_file), capture as captured:
            try:
                accepted = self.service.notify(title=title, body=body, **more)
            except (OSError, TypeError, ValueError) as error:
                raise ChannelError(f"{self.name}: {type(error).__name__}") from None
            log = captured.getvalue()
        if not accepted:
            raise ChannelError(f"{self.name}: {_status(log)}")


def channels_of(settings: AlertSettings) -> list[Channel]:
    """Return the channels that are set.

    Raises:
        SettingsError: An address is not one of apprise's, or would send in the clear.
    """
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    channels: list[Channel] = []
    for name in NAMES:
        secret = getattr(settings, f"{name}_url")
        if secret is not None:
            variable = f"ENERGY_PLATFORM_ALERT_{name.upper()}_URL"
            channels.append(_channel(name, secret, variable=variable, ca_file=settings.ca_file))
    return channels


def report_channel(url: SecretStr, *, ca_file: Path | None) -> Channel:
    """Return the channel of reports that have an address of their own.

    Raises:
        SettingsError: The address is not one of apprise's, or would send in the clear.
    """
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    return _channel(REPORTS, url, variable="ENERGY_PLATFORM_REPORT_URL", ca_file=ca_file)


def _channel(name: str, secret: SecretStr, *, variable: str, ca_file: Path | None) -> Channel:
    service = apprise.Apprise.instantiate(
        secret.get_secret_value(), asset=_ASSET, suppress_exceptions=True
    )
    if not isinstance(service, apprise.NotifyBase):
        raise SettingsError(
            f"{variable}: not an address that apprise knows, such as "
            "mailtos://user:password@smtp.example.com?to=me@example.com, "
            "slack://TokenA/TokenB/TokenC, workflows://… (Teams) or jsons://host/path"
        )
    is_plain = bool(service.protocol) and not service.secure
    if is_plain and str(service.host).strip("[]") not in LOOPBACK:
        raise SettingsError(
            f"{variable}: would send in the clear; use the address that ends in s, such as "
            "mailtos:// or jsons://"
        )
    if service.verify_certificate:
        # requests takes the name of a file here and would trust certifi's otherwise.
        service.verify_certificate = str(bundle_file(ca_file))  # type: ignore[assignment]
    return Channel(name, service, ca_file)


@contextmanager
def _trusting(ca_file: Path | None) -> Iterator[None]:
    """Let apprise's plug-ins trust what every other client does, one at a time.

    They open their own connections and take their authorities from the environment only.
    """
    trusted = str(bundle_file(ca_file))
    with _ENVIRONMENT:
        before = {name: os.environ.get(name) for name in _TRUST}
        os.environ.update(dict.fromkeys(_TRUST, trusted))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _status(log: str) -> str:
    """Return the error codes in what a service's plug-in logged; the rest may name addresses."""
    codes = sorted({word.strip("().,") for word in log.split() if word.startswith("error=")})
    return f"not accepted ({', '.join(codes)})" if codes else "not accepted"
