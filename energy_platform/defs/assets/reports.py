"""The pages that people look at, made after publication where figures changed."""

import base64
from typing import Any, Final

import dagster as dg

from energy_platform.alerts import AlertStoreError
from energy_platform.defs.assets.marts import PUBLISHED
from energy_platform.defs.groups import REPORTS
from energy_platform.defs.metadata import OWNERS
from energy_platform.defs.resources import Platform
from energy_platform.portfolio import PortfolioError
from energy_platform.report import FOLDER, Made, ReportError
from energy_platform.report.current import make_current
from energy_platform.report.making import index_of
from energy_platform.settings import Settings, SettingsError

SITE_REPORTS: Final = "site_reports"
PAGES_WRITTEN: Final = "pages_written"
POOL: Final = "reports"

MOST_SHOWN: Final = 6
"""Sites whose days the Overview shows as a picture."""


@dg.asset(
    name=SITE_REPORTS,
    group_name=REPORTS,
    deps=[PUBLISHED],
    owners=OWNERS,
    kinds={"html"},
    pool=POOL,
    description=(
        "One page of each site and month in data/reports, with a PDF next to it and an index of "
        "all sites; by mail where asked for. A page is made again when its figures changed, that "
        "of the month under way when another day of it is over."
    ),
)
def site_reports(
    context: dg.AssetExecutionContext, platform: Platform
) -> dg.MaterializeResult[None]:
    """Make what changed; nothing that is published or pushed waits for it."""
    try:
        settings = Settings.load()
        made, mail = make_current(
            platform.data,
            platform.portfolio(),
            settings=settings.reports,
            alerts=settings.alerts,
            now=platform.now(),
        )
    except (AlertStoreError, PortfolioError, ReportError, SettingsError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    context.log.info(mail)
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(str(index_of(platform.data / FOLDER))),
            "pages": len(made),
            PAGES_WRITTEN: sum(one.is_new for one in made),
            "mail": mail,
            "reports": _table(made),
            "days": dg.MetadataValue.md(_pictures(made, language=settings.reports.language)),
        }
    )


def _table(made: list[Made]) -> dg.TableMetadataValue:
    columns = ("site", "period", "status", "page")
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "site": one.site_id,
                    "period": one.period,
                    "status": one.status,
                    "page": str(one.path),
                }
            )
            for one in made
        ],
        schema=dg.TableSchema([dg.TableColumn(name, "string") for name in columns]),
    )


def _pictures(made: list[Made], *, language: str) -> str:
    """Return the days of each site's newest page as a small picture, in Markdown."""
    # Drawing imports Altair, which a code location that is only loaded does without.
    from energy_platform.report.overview import daily_png  # noqa: PLC0415

    newest: dict[str, Made] = {}
    for one in made:
        before: Any = newest.get(one.site_id)
        if before is None or one.figures.period.first >= before.figures.period.first:
            newest[one.site_id] = one
    shown = []
    for n, one in enumerate(list(newest.values())[:MOST_SHOWN]):
        if (png := daily_png(one.figures, language=language)) is not None:
            encoded = base64.b64encode(png).decode("ascii")
            # No name in it: Markdown would read what a portfolio calls a site.
            shown.append(f"![{n + 1}](data:image/png;base64,{encoded})")
    return "\n\n".join(shown) or "no electricity"
