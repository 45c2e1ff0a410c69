"""Checks of the vendors: reachable, clocks agree, a real login, something visible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from energy_platform.doctor.check_result import fail, ok, warn
from energy_platform.settings import ApiSettings, SettingsError
from energy_platform.sources.base import no_address
from energy_platform.sources.http.errors import AuthenticationError, ContractError, VendorError
from energy_platform.sources.http.exchange import Exchanger
from energy_platform.sources.http.messages import RequestContext
from energy_platform.sources.http.rate_limit import Clock
from energy_platform.sources.registry import get_source, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from energy_platform.discovery import VendorInventory
    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Vendor
    from energy_platform.settings import SourceSettings
    from energy_platform.sources.base import OpenSource, SourceContext
    from energy_platform.sources.http.logins import RefusedLogins

ATTEMPTS: Final = 2
"""Attempts per request: an operator waits."""

TIMEOUT_S: Final = 10.0
"""Seconds an answer may take here."""

BACKOFF_S: Final = 0.2
"""Pause before the second attempt."""

SKEW_WARN_S: Final = 10.0
"""Clocks further apart than this are worth a look; a Date header has whole seconds."""

SKEW_FAIL_S: Final = 300.0
"""Clocks further apart than this break signatures and tokens."""


class ProbeResult(NamedTuple):
    """What an address answered.

    Attributes:
        finding: Whether it can be reached.
        skew_s: Seconds this machine's clock is ahead; None when the answer had no date.
    """

    finding: CheckResult
    skew_s: float | None


@dataclass(frozen=True, kw_only=True)
class VendorChecks:
    """What became of one vendor.

    Attributes:
        findings: Reachability, clock, credentials, rights.
        found: Its inventory, None when it could not be read.
    """

    findings: tuple[CheckResult, ...]
    found: VendorInventory | None


def reach(
    subject: str, url: str, *, now: Callable[[], datetime], ca_file: Path | None = None
) -> ProbeResult:
    """Ask an address without credentials; any answer shows that it is there.

    Args:
        subject: What it serves.
        url: The address; asked with GET.
        now: The present.
        ca_file: Authorities trusted in addition to the system's.
    """
    host = urlsplit(url).hostname
    try:
        with Exchanger(
            url, timeout_s=TIMEOUT_S, max_connections=1, ca_file=ca_file, clock=Clock()
        ) as exchanger:
            before = now()
            response = exchanger.exchange(
                exchanger.request("GET", url, headers={}),
                about=RequestContext(subject, "reach", None, None),
            )
            after = now()
    except ContractError:
        # What it says is not asked for here; that it says anything is enough.
        return ProbeResult(ok("reach", subject, f"{host} answers"), None)
    except SettingsError as error:
        return ProbeResult(fail("reach", subject, str(error)), None)
    except VendorError as error:
        return ProbeResult(fail("reach", subject, f"{host}: {error.reason}", error.advice), None)
    if httpx.codes.is_server_error(response.status):
        finding = warn("reach", subject, f"{host} is broken (HTTP {response.status})", "Wait")
    else:
        finding = ok("reach", subject, f"{host} answers")
    return ProbeResult(finding, _skew_s(response.headers.get("date"), before=before, after=after))


def _skew_s(date: str | None, *, before: datetime, after: datetime) -> float | None:
    try:
        there = parsedate_to_datetime(date) if date else None
    except ValueError:
        return None
    if there is None:
        return None
    if there.tzinfo is None:
        there = there.replace(tzinfo=UTC)
    return (before + (after - before) / 2 - there).total_seconds()


def check_clock(subject: str, skew_s: float | None) -> CheckResult:
    """Compare this machine's clock with a server's.

    Args:
        subject: Whose clock.
        skew_s: Seconds this machine is ahead; None when the server said no date.
    """
    if skew_s is None:
        return ok("clock", subject, "the server says no date; not compared")
    away = f"this clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the server"
    advice = "Set the clock by NTP; signatures, tokens and late polls depend on it"
    if abs(skew_s) > SKEW_FAIL_S:
        return fail("clock", subject, away, advice)
    if abs(skew_s) > SKEW_WARN_S:
        return warn("clock", subject, away, advice)
    return ok("clock", subject, "agrees with the server's")


def visit(
    vendor: Vendor,
    *,
    portfolio: Portfolio,
    landing: Path,
    now: Callable[[], datetime],
    logins: RefusedLogins | None = None,
    retry_login: bool = False,
    lake: Lake | None = None,
) -> VendorChecks:
    """Check one vendor, from the network to what its account sees.

    Args:
        vendor: A vendor with credentials.
        portfolio: Not asked for anything but to open the vendor.
        landing: Folder for files of the source's own.
        now: The present.
        logins: What is known of refused logins: one that rests is not tried here either, since a
            person who runs this again and again would lock the account.
        retry_login: Whether to try it all the same, once.
        lake: Holds the inventory of before, by which devices keep their names.
    """
    findings: list[CheckResult] = []
    if retry_login and logins is not None:
        logins.try_now(vendor, now=now())
    spec = get_source(vendor)
    settings = spec.settings()
    reached = {
        subject: reach(subject, url, now=now, ca_file=settings.ca_file)
        for subject, url in spec.addresses(settings)
    }
    findings += [one.finding for one in reached.values()]
    if vendor in reached:
        findings.append(check_clock(vendor, reached[vendor].skew_s))
    if any(one.finding.level == "fail" for one in reached.values()):
        return VendorChecks(findings=tuple(findings), found=None)
    try:
        opened = open_source(
            vendor,
            portfolio=portfolio,
            landing=landing,
            logins=logins,
            lake=lake,
            settings=_impatient(spec.settings),
        )
        with opened as source:
            found = _read(vendor, source, findings)
    except (SettingsError, VendorError) as error:
        findings.append(_refused(vendor, error))
        return VendorChecks(findings=tuple(findings), found=None)
    return VendorChecks(findings=tuple(findings), found=found)


def check_source(
    vendor: Vendor, settings: SourceSettings, context: SourceContext, *, now: datetime
) -> Iterator[CheckResult]:
    """Check what a source alone can check, such as its polls.

    Args:
        vendor: A source with credentials.
        settings: Its settings.
        context: What it is opened with.
        now: The present.
    """
    for one in get_source(vendor).checks(settings, context, now):
        if one.is_ok:
            yield ok(one.check, vendor, one.message)
        else:
            yield warn(one.check, vendor, one.message, one.advice)


def _impatient(section: type[SourceSettings]) -> SourceSettings:
    """Read a source's settings with little patience, where it has any: a person waits."""
    if not issubclass(section, ApiSettings):
        return section()
    return section(attempts=ATTEMPTS, timeout_s=TIMEOUT_S, backoff_s=BACKOFF_S)


def _read(
    vendor: Vendor, source: OpenSource, findings: list[CheckResult]
) -> VendorInventory | None:
    source.check_login()
    findings.append(ok("credentials", vendor, "a real login succeeded"))
    try:
        found = get_source(vendor).discover(source.inventory())
    except AuthenticationError:
        raise
    except VendorError as error:
        findings.append(
            fail("rights", vendor, error.reason, error.advice or "Ask the vendor's account owner")
        )
        return None
    findings.append(_rights(vendor, found))
    return found


def _rights(vendor: Vendor, found: VendorInventory) -> CheckResult:
    points = sum(len(device.points) for device in found.devices.values())
    seen = f"{len(found.devices)} devices with {points} points are visible"
    if not found.devices and get_source(vendor).addresses is no_address:
        return warn(
            "rights",
            vendor,
            "nothing was read so far",
            "Give it something to read; nothing is lost",
        )
    if not found.devices:
        return fail(
            "rights",
            vendor,
            "the account sees no device",
            "Ask the account owner for the right to see the devices",
        )
    empty = [device for device in found.devices.values() if not device.points]
    if empty:
        shown = ", ".join(device.serial for device in empty[:3])
        return warn(
            "rights",
            vendor,
            f"{seen}, {len(empty)} devices without a point ({shown})",
            "Ask the account owner whether a right is missing, or wait for their profiles",
        )
    return ok("rights", vendor, seen)


def _refused(vendor: Vendor, error: SettingsError | VendorError) -> CheckResult:
    if isinstance(error, SettingsError):
        return fail("credentials", vendor, str(error))
    check = "credentials" if isinstance(error, AuthenticationError) else "reach"
    status = f" (HTTP {error.status})" if error.status is not None else ""
    return fail(check, vendor, f"{error.endpoint}: {error.reason}{status}", error.advice)
