"""How a stream goes on whose ledger was put back from a backup.

Between the backup and the loss packets were sent that the ledger knows nothing of. What the
destination holds, or an operator, says up to where. The cursor moves there; a register keeps its
baseline, so that its totals are what they would have been, and never shows less than what was sent.
The days in between are lost from the lake and waited for: they are part of the totals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from energy_platform.days import instant, microseconds
from energy_platform.delivery.ledger import Event
from energy_platform.delivery.registers import register_from_value
from energy_platform.delivery.streams import StreamWork, plan_streams
from energy_platform.transforms.sampling import THOUSANDTHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from energy_platform.delivery.ledger import Ledger, Register, StreamState
    from energy_platform.delivery.streams import FieldPlan
    from energy_platform.portfolio import Portfolio


class Continued(NamedTuple):
    """Where a restored stream goes on.

    Attributes:
        stored_us: Newest instant that is stored there; None: nothing is.
        unrecorded: After and until which instant packets were sent that the ledger has no rows of.
        events: What an operator should know of.
    """

    stored_us: int | None
    unrecorded: tuple[int, int] | None
    events: Sequence[Event]


def contradiction(state: StreamState, stored_us: int | None) -> str:
    """Say why an answer cannot be what is stored; empty when it can.

    Args:
        state: Where the stream stood at the backup.
        stored_us: Newest instant that is stored, as it was answered; None: nothing is.
    """
    known_us = state.last_acknowledged_us
    if known_us is None or (stored_us is not None and stored_us // 1000 >= known_us // 1000):
        return ""
    said = "nothing is stored" if stored_us is None else f"{instant(stored_us):%F %R} is the newest"
    return f"it answers that {said}, and had acknowledged {instant(known_us):%F %R} UTC before"


def continue_restored(
    work: StreamWork, *, stored_us: int | None, values: Mapping[str, float], now_us: int
) -> Continued:
    """Move a restored stream on to what is stored; it is restored no more.

    Args:
        work: The stream; its cursor and registers are changed in place.
        stored_us: Newest instant that is stored there; None: nothing is.
        values: The numbers of that packet by field, as far as they are known.
        now_us: The present.
    """
    state = work.state
    state.is_restored = False
    before_us = state.planned_until_us
    unrecorded = None
    if stored_us is not None:
        _move_registers(work, at_us=stored_us, values=values)
        state.last_packet_us = max(stored_us, state.last_packet_us or stored_us)
        if before_us is None or stored_us > before_us:
            state.planned_until_us = max(stored_us, (work.plan.start_us or 0) - 1)
            unrecorded = None if before_us is None else (before_us, stored_us)
    detail = {"last_us": stored_us, "cursor_us": before_us}
    return Continued(stored_us, unrecorded, [Event(now_us, work.id, "read_back", detail)])


def _move_registers(work: StreamWork, *, at_us: int, values: Mapping[str, float]) -> None:
    """Move cumulative registers on; those of values per interval follow with their next value."""
    registers = work.state.registers
    for field in work.plan.fields:
        register = registers.get(field.name)
        value = values.get(field.name)
        if field.kind != "register" or value is None:
            continue
        if register is None:
            registers[field.name] = register_from_value(
                field, value, at_us=at_us, summed_version=""
            )
        elif at_us > register.sent_us:
            sent = round(value * THOUSANDTHS)
            register.sent_us = at_us
            register.sent_thousandths = max(sent, register.sent_thousandths)
            # What the portfolio says otherwise now moves it from here on.
            register.target_wh = field.wh_of(register.sent_thousandths)


def count_unrecorded(register: Register, field: FieldPlan, *, until_us: int, shown: int) -> None:
    """Take for sent what a value per interval leaves between its beginning and the last one known.

    Only a restored stream leaves any: packets of that span were received, of which the ledger has
    no rows.

    Args:
        register: The field's register; changed in place.
        field: The field.
        until_us: Where the interval begins.
        shown: What the register shows there, in thousandths.
    """
    if until_us > register.sent_us:
        register.sent_thousandths += shown - field.thousandths_of(register.target_wh)


class ContinueError(ValueError):
    """A stream cannot be told where to go on; the message says why."""


def continue_from(
    ledger: Ledger, portfolio: Portfolio, stream_id: str, *, at: datetime, now: datetime
) -> int:
    """Say in place of a read-back up to where a restored stream's packets were received.

    Args:
        ledger: The delivery ledger.
        portfolio: The streams.
        stream_id: The stream.
        at: Instant of the newest packet that its destination holds.
        now: The present.

    Returns:
        Packets without an answer that remain to be sent.

    Raises:
        ContinueError: There is no such stream, it waits for no such word, or the instant lies
            ahead.
    """
    plan = plan_streams(portfolio).get(stream_id)
    state = ledger.states().get(stream_id)
    if plan is None or state is None:
        raise ContinueError(f"there is no stream {stream_id}; `energy-platform delivery status`")
    if not state.is_restored:
        raise ContinueError(
            f"stream {stream_id} knows where it goes on; only one that was restored from a backup "
            "and could not read back is told so"
        )
    if at > now:
        raise ContinueError(f"{at.isoformat()} lies ahead: no packet of then was received")
    if (
        state.stopped is not None
        and not plan.skips_refused
        and ledger.dead_letters(stream_id=stream_id)
    ):
        raise ContinueError(
            f"stream {stream_id} waits for a decision about a refused packet first; "
            "`energy-platform delivery dead-letters`"
        )
    work = StreamWork(plan=plan, state=state)
    found = continue_restored(work, stored_us=microseconds(at), values={}, now_us=microseconds(now))
    ledger.record_read_back(
        stream_id,
        state,
        stored_us=found.stored_us,
        unrecorded=found.unrecorded,
        events=found.events,
        now_us=microseconds(now),
    )
    return ledger.pending_counts().get(stream_id, 0)
