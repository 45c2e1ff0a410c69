"""Checks of the way to each destination: an address, a credential per stream group, a read-back."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from energy_platform.destinations import DEFAULT_DESTINATION
from energy_platform.destinations.base import destination
from energy_platform.doctor.check_result import fail, ok
from energy_platform.sources.http.errors import AuthenticationError, ContractError, VendorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.portfolio import Stream
    from energy_platform.settings import DestinationSettings


def check_destinations(
    settings: Mapping[str, DestinationSettings], *, streams: Mapping[str, Stream]
) -> Iterator[CheckResult]:
    """Check what the portfolio's streams need.

    Args:
        settings: Address and credentials of each destination.
        streams: Streams of the portfolio by id.
    """
    if not streams:
        yield ok(DEFAULT_DESTINATION, "", "the portfolio has no streams; nothing is delivered")
    for name, own in settings.items():
        going = [stream for stream in streams.values() if stream.destination == name]
        if going:
            yield from _check(own, going)


def _check(settings: DestinationSettings, streams: list[Stream]) -> Iterator[CheckResult]:
    name = settings.destination
    if settings.base_url is None:
        yield fail(
            name,
            "",
            f"{settings.variable('base_url')} is not set and the portfolio has {len(streams)} "
            "streams",
            "Set it to the push URL, with its final slash; begin with the test environment",
        )
        return
    known = settings.all_credentials()
    groups: dict[str, list[str]] = {}
    for stream in streams:
        groups.setdefault(stream.credential, []).append(stream.id)
    yield ok(name, "", f"packets go to {urlsplit(settings.base_url).hostname}")
    for group, ids in groups.items():
        if group not in known:
            yield _missing(settings, group, count=len(ids))
        elif not settings.readback:
            off = settings.variable("readback")
            yield ok(name, group, f"credential set; {off} is off, not tried")
        elif not destination(name).reads_back:
            yield ok(name, group, "credential set; what is stored cannot be asked for, not tried")
        else:
            yield _read_back(settings, group, stream_id=ids[0])


def _missing(settings: DestinationSettings, group: str, *, count: int) -> CheckResult:
    where = (
        f"{settings.variable('username')} and {settings.variable('password')}"
        if group == "default"
        else settings.variable("credentials")
    )
    return fail(
        settings.destination,
        group,
        f"no credential for {count} streams of group {group}",
        f"Set {where}",
    )


def _read_back(settings: DestinationSettings, group: str, *, stream_id: str) -> CheckResult:
    name = settings.destination
    try:
        with closing(destination(name).connect(settings, group, lambda: True)) as connection:
            last = connection.last_packet(stream_id)
    except (AuthenticationError, ContractError) as error:
        return fail(name, group, f"{stream_id}: {error.reason}", error.advice)
    except VendorError as error:
        return fail(
            name,
            group,
            f"{stream_id}: {error.reason}",
            error.advice
            or f"Check {settings.variable('base_url')} and that the stream is registered",
        )
    if last is None:
        return ok(name, group, f"the credential is accepted; {stream_id} has no packet yet")
    return ok(name, group, f"{stream_id}: last packet of {last.at:%Y-%m-%d %H:%M} UTC")
