"""The sensor that reports what is wrong: it gathers facts, and ``energy_platform.alerts`` judges.

It asks for no run. It also sends the heartbeat: when the daemon is dead nothing here can say so,
and the service behind the heartbeat's address does.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from energy_platform.alerts import AlertStore, AlertStoreError, channels_of, send_due, watch
from energy_platform.alerts.channels import Channel, report_channel
from energy_platform.alerts.heartbeat import send_heartbeat
from energy_platform.alerts.policy import waits, writer_of
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.alert_facts import gather
from energy_platform.defs.sensors.ticking import asks_the_catalogue
from energy_platform.delivery import LedgerError
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.settings import Settings, SettingsError

EVERY_S: Final = 30
"""Seconds between two looks at what is wrong."""

ASKING_SINCE: Final = "asking_since"
LAST_LOOK: Final = "last_look"
LAST_HEARTBEAT: Final = "last_heartbeat"

ASLEEP: Final = timedelta(hours=1)
"""A longer pause between two looks means that nobody asked a source either: the machine slept, or
the platform was stopped."""


def build_alert_sensor() -> dg.SensorDefinition:
    """Return the sensor that reports what is wrong; it asks for no run and is always on."""

    @dg.sensor(
        name="alerts",
        job_name="refresh",
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tell by mail, Slack, Teams or webhook what is wrong, once when it begins and once "
            "when it is over; send the heartbeat. Asks for no run."
        ),
    )
    @asks_the_catalogue
    def alerts(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
        try:
            return dg.SkipReason(look(platform, context, now=platform.now()))
        except (
            AlertStoreError,
            CatalogueError,
            LakeError,
            LedgerError,
            PortfolioError,
            SettingsError,
        ) as error:
            # The tick keeps the sentence; a trace-back would mean nothing to an operator.
            return dg.SkipReason(str(error))

    return alerts


def look(platform: Platform, context: dg.SensorEvaluationContext, *, now: datetime) -> str:
    """Look at what is wrong, send what is due, and return it in one sentence."""
    settings = Settings.load()
    channels = channels_of(settings.alerts)
    platform.data.mkdir(parents=True, exist_ok=True)
    with AlertStore.of(platform.data) as store:
        conditions = gather(
            platform,
            context.instance,
            settings=settings.alerts,
            expected_every=timedelta(minutes=settings.platform.intraday_minutes),
            blocking=_blocking(context),
            standing=store.standing(),
            asking_since=_asking_since(store, now=now),
            now=now,
        )
        watch(
            store,
            conditions,
            settings=settings.alerts,
            writer=writer_of(settings),
            channels=channels,
            now=now,
        )
        problems = send_due(store, [*channels, *_of_reports(settings)], now=now)
        if heartbeat := _heartbeat(store, settings, now=now):
            problems["heartbeat"] = heartbeat
    for problem in problems.values():
        context.log.warning(problem)
    wanted = waits(settings.alerts)
    standing = [one.what for one in conditions if wanted[one.kind] is not None]
    summary = "; ".join(standing) or "nothing is wrong"
    return "; ".join([summary, *problems.values()])


def _of_reports(settings: Settings) -> list[Channel]:
    """Return the channel of reports that have an address of their own; they queue as alerts do."""
    url = settings.reports.url
    return [] if url is None else [report_channel(url, ca_file=settings.reports.ca_file)]


def _blocking(context: dg.SensorEvaluationContext) -> list[dg.AssetCheckKey]:
    if context.repository_def is None:
        return []
    graph = context.repository_def.asset_graph
    return [key for key in graph.asset_check_keys if graph.get(key).blocking]


def _asking_since(store: AlertStore, *, now: datetime) -> datetime:
    """Return since when somebody looks without a break, and note this look."""
    since, last = store.note(ASKING_SINCE), store.note(LAST_LOOK)
    slept = last is not None and now - datetime.fromisoformat(last) > ASLEEP
    with store.transaction() as change:
        change.note(LAST_LOOK, now.isoformat())
        if since is None or slept:
            change.note(ASKING_SINCE, now.isoformat())
            return now
    return datetime.fromisoformat(since)


def _heartbeat(store: AlertStore, settings: Settings, *, now: datetime) -> str:
    if settings.alerts.heartbeat_url is None:
        return ""
    noted = store.note(LAST_HEARTBEAT)
    last = datetime.min.replace(tzinfo=UTC) if noted is None else datetime.fromisoformat(noted)
    # A clock that was set back must not silence it.
    if timedelta(0) <= now - last < timedelta(seconds=settings.alerts.heartbeat_s):
        return ""
    problem = send_heartbeat(settings.alerts)
    if not problem:
        with store.transaction() as change:
            change.note(LAST_HEARTBEAT, now.isoformat())
    return problem
