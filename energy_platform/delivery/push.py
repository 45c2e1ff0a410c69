"""One push: everything that is ready, to one destination, in order, resumable at any moment."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from filelock import BaseFileLock

from energy_platform.days import MICROSECONDS, microseconds
from energy_platform.delivery.attempts import begin_run, end_run
from energy_platform.delivery.backlog import push_decision
from energy_platform.delivery.ledger.lease import place_of
from energy_platform.delivery.outcome import PushOutcome
from energy_platform.delivery.preparation import prepare
from energy_platform.delivery.run import PushRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from energy_platform.delivery.ledger import Ledger
    from energy_platform.delivery.outcome import Progress
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.settings import DestinationSettings

KEPT_DAYS: Final = 92
"""Days of settled packets the ledger keeps, with their bytes."""


def push(
    lake: Lake,
    *,
    ledger: Ledger,
    portfolio: Portfolio,
    settings: DestinationSettings,
    clock: Callable[[], datetime],
    stop: threading.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> PushOutcome:
    """Send every packet that is ready, and settle what an earlier push left open.

    Waits for a push that is under way. Stopped or killed at any moment, the next one goes on
    where this one ended.

    Args:
        lake: The day files.
        ledger: What was sent and acknowledged.
        portfolio: The streams as agreed; those of the settings' destination are sent.
        settings: Of the destination: address, credentials, patience.
        clock: The present; packets are never stamped later.
        stop: Ends the push within ten seconds when it is set.
        on_progress: Told now and then how far it is.

    Returns:
        What came of each stream; faults of the destination are outcomes, not exceptions.

    Raises:
        SettingsError: No base URL is set although there are streams.
        TakenOverError: Another host took over, because this one was not heard of for too long.
        LedgerError: The ledger's database stayed away.
    """
    name = settings.destination
    if all(stream.destination != name for stream in portfolio.streams.values()):
        return PushOutcome({}, interrupted=False)
    settings.required_url()
    stop = stop or threading.Event()
    with (
        lake.lock(f"{name}_push") as held,
        ledger.exclusive(
            stop=stop,
            place=place_of(held.lock_file) if isinstance(held, BaseFileLock) else "",
            under_way_s=settings.read_timeout_s,
        ) as lease,
    ):
        if lease is None:
            return PushOutcome({}, interrupted=True)
        now_us = microseconds(clock())
        if begin_run(ledger, destination=name, now_us=now_us):
            ledger.mark_in_doubt(name)
        state = prepare(lake, ledger=ledger, portfolio=portfolio, settings=settings, now_us=now_us)
        outcome = PushRun(
            state,
            ledger=ledger,
            settings=settings,
            clock=clock,
            lease=lease,
            stop=stop,
            on_progress=on_progress,
        ).run()
        ledger.prune(state.plans, before_us=now_us - KEPT_DAYS * 86_400 * MICROSECONDS)
        now = clock()
        end_run(ledger, destination=name, outcome=outcome, now_us=microseconds(now))
        then = push_decision(
            lake,
            ledger,
            portfolio,
            now=now,
            max_hold=timedelta(hours=settings.max_hold_h),
            credentials=settings.all_credentials(),
            destination=name,
        )
        return outcome._replace(then=then)
