"""The sensor that polls the source that has no history, into the landing folder."""

import dagster as dg

from energy_platform.days import day_of
from energy_platform.defs.ingest_requests import hindrance, ingest_tags
from energy_platform.defs.jobs import INGEST
from energy_platform.defs.partitions import first_partition
from energy_platform.defs.resources import Platform
from energy_platform.ingest.due import newest_block
from energy_platform.ingest.run import first_day, ingest_settings, is_configured
from energy_platform.installation.upgrade import restart_needed
from energy_platform.portfolio import PortfolioError
from energy_platform.settings import SettingsError
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.registry import poll_skycentrics


def _left_out(platform: Platform) -> frozenset[str]:
    """Return the gateways not to be polled; a broken portfolio costs no poll."""
    try:
        return platform.portfolio().left_out("skycentrics")
    except PortfolioError:
        return frozenset()


def build_poll_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Return the sensor that polls SkyCentrics."""

    @dg.sensor(
        name="poll_skycentrics",
        job_name=INGEST["skycentrics"],
        minimum_interval_seconds=60,
        default_status=status,
        description=(
            "Poll the newest values into the landing folder; ask for earlier days that got late "
            "samples. Today's day is folded by the intraday schedule."
        ),
    )
    def poll_skycentrics_sensor(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        now = platform.now()
        try:
            if not is_configured("skycentrics"):
                return dg.SkipReason("no credentials for skycentrics: see .env.example")
            first = max(first_day(ingest_settings("skycentrics")), first_partition().isoformat())
            # A poll that is not made is lost, so that nothing below holds it up, a restart that is
            # needed neither: only runs wait for that.
            report = poll_skycentrics(
                platform.lake,
                landing=platform.landing,
                now=platform.now,
                logins=platform.logins,
                left_out=_left_out(platform),
            )
        except VendorError as error:
            # The next tick polls again; the tick keeps what happened.
            return dg.SkipReason(str(error))
        except SettingsError as error:
            return dg.SkipReason(restart_needed() or str(error))
        for failure in report.failed.values():
            context.log.error(str(failure))
        today = day_of(now)
        asked_before = set((context.cursor or "").split())
        if before := sorted(day for day in report.late_days if day < first):
            # A sensor whose clock stands still says so at each start; kept in the landing.
            context.log.info(
                "samples of %s lie before the first day (%s) and stay in the landing; "
                "SKYCENTRICS_START_DAY lets them in",
                ", ".join(before),
                first,
            )
        late = {day for day in report.late_days | asked_before if first <= day < today}
        polled = (
            f"{sum(landed.samples for landed in report.landed.values())} new samples "
            f"from {len(report.landed)} gateways"
        )
        reason = hindrance("skycentrics", instance=context.instance) if late else ""
        days = [] if reason else newest_block(sorted(late, reverse=True))
        # Kept until a run can be asked for them.
        context.update_cursor(" ".join(sorted(late - set(days))))
        if not days:
            waits = f"; late samples of {', '.join(sorted(late))} wait: {reason}" if late else ""
            return dg.SkipReason(polled + waits)
        return dg.RunRequest(
            run_key=f"late {days[0]} to {days[-1]} {now.isoformat()}",
            tags=ingest_tags("skycentrics", days, kind="poll"),
        )

    return poll_skycentrics_sensor
