"""Checks of the way to Wattics: an address, a credential per stream group, one read-back each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from energy_platform.destinations.wattics import WatticsClient
from energy_platform.doctor.check_result import fail, ok
from energy_platform.sources.http.errors import AuthenticationError, ContractError, VendorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.portfolio import Stream
    from energy_platform.settings import BasicCredential, WatticsSettings

CHECK: Final = "wattics"


def check_wattics(settings: WatticsSettings, *, streams: Mapping[str, Stream]) -> list[CheckResult]:
    """Check what the portfolio's streams need.

    Args:
        settings: Address and credentials.
        streams: Streams of the portfolio by id.
    """
    if not streams:
        return [ok(CHECK, "", "the portfolio has no streams; nothing is delivered")]
    if settings.base_url is None:
        return [
            fail(
                CHECK,
                "",
                f"WATTICS_BASE_URL is not set and the portfolio has {len(streams)} streams",
                "Set it to the push URL, with its final slash; begin with the test environment",
            )
        ]
    known = settings.all_credentials()
    groups: dict[str, list[str]] = {}
    for stream in streams.values():
        groups.setdefault(stream.credential, []).append(stream.id)
    findings = [ok(CHECK, "", f"packets go to {urlsplit(settings.base_url).hostname}")]
    for group, ids in groups.items():
        credential = known.get(group)
        if credential is None:
            findings.append(_missing(group, count=len(ids)))
        elif not settings.readback:
            findings.append(ok(CHECK, group, "credential set; WATTICS_READBACK is off, not tried"))
        else:
            findings.append(_read_back(settings, group, credential=credential, stream_id=ids[0]))
    return findings


def _missing(group: str, *, count: int) -> CheckResult:
    where = "WATTICS_USERNAME and WATTICS_PASSWORD" if group == "default" else "WATTICS_CREDENTIALS"
    return fail(CHECK, group, f"no credential for {count} streams of group {group}", f"Set {where}")


def _read_back(
    settings: WatticsSettings, group: str, *, credential: BasicCredential, stream_id: str
) -> CheckResult:
    try:
        with WatticsClient(settings, credential=credential) as client:
            last = client.last_packet(stream_id)
    except (AuthenticationError, ContractError) as error:
        return fail(CHECK, group, f"{stream_id}: {error.reason}", error.advice)
    except VendorError as error:
        return fail(
            CHECK,
            group,
            f"{stream_id}: {error.reason}",
            error.advice or "Check WATTICS_BASE_URL and that the stream is registered",
        )
    if last is None:
        return ok(CHECK, group, f"the credential is accepted; {stream_id} has no packet yet")
    return ok(CHECK, group, f"{stream_id}: last packet of {last.at:%Y-%m-%d %H:%M} UTC")
