"""The sensor of each source without history: polled into its landing folder."""

import dagster as dg

from energy_platform.days import day_of
from energy_platform.defs.ingest_requests import hindrance, ingest_tags
from energy_platform.defs.jobs import INGEST
from energy_platform.defs.partitions import first_partition
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.ticking import asks_the_catalogue
from energy_platform.ingest.due import newest_chunk
from energy_platform.ingest.run import first_day, ingest_settings, is_configured
from energy_platform.installation.upgrade import restart_needed
from energy_platform.portfolio import Portfolio, PortfolioError
from energy_platform.schemas import Vendor
from energy_platform.settings import SettingsError
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.registry import poll_source


def _portfolio(platform: Platform) -> Portfolio:
    """Read the portfolio, which says what is not to be polled; a broken one costs no poll."""
    try:
        return platform.portfolio()
    except PortfolioError:
        return Portfolio()


def build_poll_sensor(vendor: Vendor, *, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Return the sensor that polls a source."""

    @dg.sensor(
        name=f"poll_{vendor}",
        job_name=INGEST[vendor],
        minimum_interval_seconds=60,
        default_status=status,
        description=(
            "Poll the newest values into the landing folder; ask for earlier days that got late "
            "samples. Today's day is folded by the intraday schedule."
        ),
    )
    @asks_the_catalogue
    def poll_sensor(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        now = platform.now()
        try:
            if not is_configured(vendor):
                return dg.SkipReason(f"no credentials for {vendor}: see .env.example")
            first = max(first_day(ingest_settings(vendor)), first_partition().isoformat())
            # A poll that is not made is lost, so that nothing below holds it up, a restart that is
            # needed neither: only runs wait for that.
            report = poll_source(
                vendor,
                lake=platform.lake,
                portfolio=_portfolio(platform),
                landing=platform.landing(vendor),
                now=platform.now,
                logins=platform.logins,
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
                "%s_START_DAY lets them in",
                ", ".join(before),
                first,
                vendor.upper(),
            )
        late = {day for day in report.late_days | asked_before if first <= day < today}
        polled = (
            f"{sum(landed.samples for landed in report.landed.values())} new samples "
            f"from {len(report.landed)} devices"
        )
        reason = hindrance(vendor, instance=context.instance) if late else ""
        days = [] if reason else newest_chunk(sorted(late, reverse=True))
        # Kept until a run can be asked for them.
        context.update_cursor(" ".join(sorted(late - set(days))))
        if not days:
            waits = f"; late samples of {', '.join(sorted(late))} wait: {reason}" if late else ""
            return dg.SkipReason(polled + waits)
        return dg.RunRequest(
            run_key=f"late {days[0]} to {days[-1]} {now.isoformat()}",
            tags=ingest_tags(vendor, days, kind="poll"),
        )

    return poll_sensor
