"""The sensor that asks for a push; ``delivery`` knows what is behind.

Thirty new days are one push. A failed run is asked for again with a growing pause.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

import dagster as dg

from energy_platform.defs.instance.living_runs import attempts, jobs_of, living_runs
from energy_platform.defs.jobs import push
from energy_platform.defs.partitions import RUN_KIND
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.last_look import EVERY_S, LastLook, resting, seen_by
from energy_platform.defs.sensors.ticking import asks_the_catalogue
from energy_platform.delivery import LedgerError, PushDecision, push_decisions
from energy_platform.destinations.base import (
    addressed,
    destinations,
    titles,
    why_nothing_is_sent,
)
from energy_platform.installation.upgrade import restart_needed
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError

LOOKS_AT_LEAST_EVERY: Final = timedelta(minutes=1)
"""Pauses and holds of streams end by the clock alone."""


def build_push_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Return the sensor that asks for one push when streams are behind."""

    @dg.sensor(
        name="push_when_behind",
        job=push,
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description=f"Ask for one push when the lake holds what {titles()} has not acknowledged.",
    )
    @asks_the_catalogue
    def push_when_behind(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        targets = addressed()
        if not targets:
            return dg.SkipReason(why_nothing_is_sent())
        now = platform.now()
        before = attempts(context.instance, job=push.name)
        look = LastLook(context, now=now, at_least_every=LOOKS_AT_LEAST_EVERY)
        seen = seen_by(platform, runs=before.last_run_id)
        if look.is_still(seen):
            return dg.SkipReason(f"nothing changed since {look.at:%H:%M} UTC: nothing to send")
        if push.name in jobs_of(living_runs(context.instance)):
            return dg.SkipReason("a push is under way")
        try:
            portfolio = platform.portfolio()
            with platform.ledger() as ledger:
                decisions = push_decisions(
                    platform.lake, ledger, portfolio, now=now, settings=targets
                )
        except (PortfolioError, LakeError, LedgerError) as error:
            return dg.SkipReason(str(error))
        wanted = {name: one for name, one in decisions.items() if one.is_wanted}
        if not wanted:
            look.note(seen)
            return dg.SkipReason("; ".join(one.reason for one in decisions.values()))
        if errors := "; ".join(one.error or "" for one in wanted.values() if one.alert):
            context.log.error("pushes keep failing: %s", errors)
        if (
            before.next_at is not None
            and now < before.next_at
            and not _reached_the_ledger(
                context.instance, run_id=before.last_run_id, decisions=decisions
            )
        ):
            return dg.SkipReason(resting("push", before.failed, before.next_at))
        return dg.RunRequest(
            run_key=f"after {before.last_run_id}",
            tags={RUN_KIND: "push"},
            asset_selection=_packets(wanted),
        )

    return push_when_behind


def _packets(wanted: Collection[str]) -> list[dg.AssetKey] | None:
    """Return the assets to push; None for all. A destination with nothing to send is left alone."""
    known = destinations()
    if len(wanted) == len(known):
        return None
    return [dg.AssetKey(known[name].packets) for name in wanted]


def _reached_the_ledger(
    instance: dg.DagsterInstance, *, run_id: str, decisions: Mapping[str, PushDecision]
) -> bool:
    """Say whether a push noted that it began.

    Then the ledger knows when to try again, and what need not wait for that.
    """
    record = instance.get_run_record_by_id(run_id)
    began = [one.last_started_at for one in decisions.values() if one.last_started_at]
    return record is not None and bool(began) and record.create_timestamp <= max(began)
