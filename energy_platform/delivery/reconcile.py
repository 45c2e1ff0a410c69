"""Compares, stream by stream, what the lake holds, what the ledger says and what is stored."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from energy_platform.days import instant, microseconds
from energy_platform.delivery.planner import late_entries
from energy_platform.delivery.preparation import survey
from energy_platform.delivery.sender import Connections
from energy_platform.delivery.watermarks import NOTHING_KNOWN
from energy_platform.destinations.base import destination
from energy_platform.sources.http.errors import VendorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from energy_platform.delivery.ledger import Ledger
    from energy_platform.delivery.preparation import PushState
    from energy_platform.delivery.streams import StreamWork
    from energy_platform.destinations.base import Connection, LastPacket
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.settings import DestinationSettings


class Reconciled(NamedTuple):
    """One stream, seen from all three sides.

    Attributes:
        stream_id: The stream.
        lake_until: Up to where the lake knows what happened.
        ledger_until: Newest instant acknowledged by the ledger.
        stored_until: Newest instant stored there; None when nothing, or when not asked.
        pending: Packets planned and not yet answered.
        late: Instants the lake could fill now that were decided without a packet.
        undelivered_wh: Energy of values per interval that was never sent.
        held_back_wh: Energy by which registers are held above the lake's.
        differences: What does not agree; empty when all is well.
        action: What will be done about it, and by whom.
    """

    stream_id: str
    lake_until: datetime | None
    ledger_until: datetime | None
    stored_until: datetime | None
    pending: int
    late: int
    undelivered_wh: float
    held_back_wh: float
    differences: tuple[str, ...]
    action: str


def reconcile(
    lake: Lake,
    *,
    ledger: Ledger,
    portfolio: Portfolio,
    settings: DestinationSettings,
    clock: Callable[[], datetime],
    days: int = 7,
) -> tuple[Reconciled, ...]:
    """Compare lake, ledger and read-back for every stream; changes nothing.

    Args:
        lake: The day files.
        ledger: The delivery ledger.
        portfolio: The streams.
        settings: Address and credentials; without an address, or with read-back off, the
            destination is not asked.
        clock: The present.
        days: How many days back late data are looked for.

    Returns:
        One row per stream, sorted by id.
    """
    push = survey(
        lake,
        ledger=ledger,
        portfolio=portfolio,
        settings=settings,
        now_us=microseconds(clock()),
    )
    push.look_ahead(push.works.values())
    late = late_entries(push, push.works.values(), ledger=ledger, days=days)
    stored = _stored(push, settings=settings)
    return tuple(
        _compare(work, stored=stored.get(stream_id), late=len(late.get(stream_id, [])))
        for stream_id, work in sorted(push.works.items())
    )


def _stored(
    push: PushState, *, settings: DestinationSettings
) -> dict[str, LastPacket | VendorError | None]:
    """Read back the last packet of every stream whose credential there is."""
    credentials = settings.all_credentials()
    asked = [
        stream_id
        for stream_id, work in push.works.items()
        if work.plan.stream.credential in credentials
    ]
    target = destination(settings.destination)
    if not target.reads_back or not settings.can_read_back or not asked:
        return {}

    def open_connection(name: str) -> Connection:
        return target.connect(settings, name, lambda: True)

    own = threading.local()
    opened: list[Connections] = []

    def ask(stream_id: str) -> LastPacket | VendorError | None:
        connections: Connections | None = getattr(own, "connections", None)
        if connections is None:
            connections = own.connections = Connections(open_connection)
            opened.append(connections)
        try:
            credential = push.works[stream_id].plan.stream.credential
            return connections.of(credential).last_packet(stream_id)
        except VendorError as error:
            return error

    try:
        with ThreadPoolExecutor(settings.parallel_streams) as pool:
            return dict(zip(asked, pool.map(ask, asked), strict=True))
    finally:
        for connections in opened:
            connections.close()


def _compare(work: StreamWork, *, stored: LastPacket | VendorError | None, late: int) -> Reconciled:
    plan, state = work.plan, work.state
    differences: list[str] = []
    actions: list[str] = []
    if state.stopped is not None:
        differences.append(state.stopped)
        actions.append("an operator decides about the refused packet")
    if state.is_restored:
        differences.append("restored from a backup and not read back yet")
        actions.append("the next push reads back before it sends")
    if work.pending:
        differences.append(f"{work.pending} packets have no answer")
        actions.append("the next push sends them, looking up the first if it is in doubt")
    if late:
        differences.append(f"{late} intervals could be filled now and were passed without")
        sends = plan.sends_late
        actions.append("the next push sends them" if sends else "nothing is sent behind the cursor")
    if plan.stream.reading == "per_interval" and abs(state.undelivered_wh) >= 1:
        differences.append(f"{state.undelivered_wh:.0f} Wh fell into gaps and were never sent")
    stored_until = None
    if isinstance(stored, VendorError):
        differences.append(f"read-back failed: {stored}")
    else:
        more, stored_until = _against_stored(work, stored)
        for difference, action in more:
            differences.append(difference)
            actions.append(action)
    until_us = work.watermark.until_us
    return Reconciled(
        stream_id=work.id,
        lake_until=None if work.watermark is NOTHING_KNOWN else instant(until_us),
        ledger_until=_at(state.last_acknowledged_us),
        stored_until=stored_until,
        pending=work.pending,
        late=late,
        undelivered_wh=state.undelivered_wh,
        held_back_wh=work.held_back_wh,
        differences=tuple(differences),
        action="; ".join(actions),
    )


def _against_stored(
    work: StreamWork, stored: LastPacket | None
) -> tuple[Sequence[tuple[str, str]], datetime | None]:
    """Compare the newest packet of the ledger with the one that is stored.

    Where late packets are sent behind newer ones, the one received last need not be the newest.
    """
    if stored is None:
        return [], None
    plan, state = work.plan, work.state
    title = plan.destination.title
    ledger_us = state.last_acknowledged_us
    stored_us = microseconds(stored.at)
    found = []
    if not plan.sends_late and ledger_us is not None and stored_us // 1000 < ledger_us // 1000:
        difference = (
            f"the ledger has {instant(ledger_us).isoformat()} acknowledged, {title} holds "
            f"{stored.at.isoformat()}"
        )
        found.append((difference, f"ask {title}: what it acknowledged is not there"))
    planned_us = state.last_packet_us
    if state.is_restored:
        return found, stored.at
    if planned_us is None or stored_us // 1000 > planned_us // 1000:
        found.append(
            (
                f"{title} holds {stored.at.isoformat()}, which this ledger never sent",
                "find out who else pushes this stream",
            )
        )
    return found, stored.at


def _at(at_us: int | None) -> datetime | None:
    return None if at_us is None else instant(at_us)
