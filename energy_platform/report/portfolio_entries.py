"""What a portfolio corrects and accepts of a site in a period, for the page to say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from energy_platform.report.records import Entry

if TYPE_CHECKING:
    from energy_platform.portfolio import Portfolio
    from energy_platform.report.period import Period
    from energy_platform.report.records import SiteInfo


def entries_of(portfolio: Portfolio, site: SiteInfo, period: Period) -> list[Entry]:
    """Return the corrections and accepted spans that touch the site's days.

    Args:
        portfolio: As it is now.
        site: The site.
        period: Its days.
    """
    zone = ZoneInfo(site.timezone)
    begin = datetime.combine(period.first, datetime.min.time(), tzinfo=zone)
    end = datetime.combine(period.last + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    own = {one.point_id for one in portfolio.points.values() if one.site_id == site.site_id}
    spans = [
        *(
            Entry(
                kind="correction",
                point_id=point_id,
                start=one.start,
                end=one.end,
                reason=one.reason,
            )
            for one in portfolio.corrections
            for point_id in one.points
        ),
        *(
            Entry(
                kind="accept",
                point_id=one.point_id,
                start=one.start,
                end=one.end,
                reason=one.reason,
            )
            for one in portfolio.accepted
        ),
    ]
    found = [
        one
        for one in spans
        if one.point_id in own
        and (one.start is None or one.start < end)
        and (one.end is None or one.end > begin)
    ]
    return sorted(found, key=lambda one: (one.kind, one.point_id, str(one.start)))
