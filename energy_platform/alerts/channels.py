"""Where messages go: one apprise address each, and nothing of it ever shown."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final, NamedTuple

import apprise

from energy_platform.settings import LOOPBACK, SettingsError
from energy_platform.vendors.tls import bundle_file

if TYPE_CHECKING:
    from energy_platform.settings import AlertSettings

_ASSET: Final = apprise.AppriseAsset(
    app_id="energy_platform", secure_logging=True, async_mode=False
)

NAMES: Final = ("mail", "slack", "teams", "webhook")
"""The channels, each with a setting ENERGY_PLATFORM_ALERT_<NAME>_URL."""


class ChannelError(RuntimeError):
    """A service did not accept a message; says what it answered, without its address."""


class Channel(NamedTuple):
    """One way out of the machine."""

    name: str
    service: apprise.NotifyBase

    def __repr__(self) -> str:
        return f"Channel({self.name})"

    def send(self, *, title: str, body: str) -> None:
        """Hand a message to the service.

        Raises:
            ChannelError: It was not accepted.
        """
        capture = apprise.LogCapture(  # type: ignore[no-untyped-call]
            level=logging.WARNING, fmt="%(message)s"
        )
        with capture as captured:
            try:
                accepted = self.service.notify(title=title, body=body)
            except (OSError, TypeError, ValueError) as error:
                raise ChannelError(f"{self.name}: {type(error).__name__}") from None
            said = captured.getvalue()
        if not accepted:
            raise ChannelError(f"{self.name}: {_status(said)}")


def channels_of(settings: AlertSettings) -> list[Channel]:
    """Return the channels that are set.

    Raises:
        SettingsError: An address is not one of apprise's, or would send in the clear.
    """
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    found: list[Channel] = []
    # apprise's plug-ins open their own connections and take their authorities from here only.
    trusted = str(bundle_file(settings.ca_file))
    os.environ.update({"REQUESTS_CA_BUNDLE": trusted, "SSL_CERT_FILE": trusted})
    for name in NAMES:
        secret = getattr(settings, f"{name}_url")
        if secret is None:
            continue
        variable = f"ENERGY_PLATFORM_ALERT_{name.upper()}_URL"
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
            service.verify_certificate = str(  # type: ignore[assignment]
                bundle_file(settings.ca_file)
            )
        found.append(Channel(name, service))
    return found


def _status(said: str) -> str:
    """Return the error codes in what a service's plug-in logged; the rest may name addresses."""
    codes = sorted({word.strip("().,") for word in said.split() if word.startswith("error=")})
    return f"not accepted ({', '.join(codes)})" if codes else "not accepted"
