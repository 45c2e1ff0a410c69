"""The energy of a day as bars in a terminal: what a new installation shows first."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from energy_platform.cli.published import open_published

if TYPE_CHECKING:
    from rich.console import Console

    from energy_platform.settings import PlatformSettings

_HOURS: Final = """
with days as (
  -- The newest local day of those that are known best: the last one has often just begun.
  select site_id, arg_max(local_day, (covered_s, local_day)) as local_day
  from fct_energy_daily where energy_wh is not null group by site_id
),
counted as (
  select point_id, site_id from dim_point where site_term in ('import', 'net')
)
select sites.site_name, days.local_day, hours.local_hour, sum(hours.energy_kwh) as kwh
from fct_energy_hourly hours
join counted using (point_id, site_id)
join days using (site_id, local_day)
join dim_site sites using (site_id)
group by all
having sum(hours.energy_kwh) is not null
order by site_name, local_hour
"""

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FULL: Final = "█"
_WIDTH: Final = 40


def print_first_chart(console: Console, platform: PlatformSettings) -> bool:
    """Print what each site took from the grid, hour by hour, on the newest day that is whole.

    Args:
        console: Where to print.
        platform: Says where the published file lies.

    Returns:
        Whether there was anything to show.
    """
    rows: list[tuple[str, object, object, float]] = []
    with suppress(FileNotFoundError), open_published(platform, live=False) as connection:
        rows = connection.execute(_HOURS).fetchall()
    if not rows:
        console.print(
            "No site has energy to show yet: points that count for a site need `role` and a "
            "quantity in portfolio.yaml",
            markup=False,
        )
        return False
    for site in dict.fromkeys(name for name, *_ in rows):
        hours = [(day, hour, kwh) for name, day, hour, kwh in rows if name == site]
        highest = max(kwh for *_, kwh in hours)
        console.print(f"\n{site}, {hours[0][0]}: kWh from the grid by hour", markup=False)
        for _, hour, kwh in hours:
            console.print(
                f"  {hour:%H:%M} {bar(kwh, highest=highest):{_WIDTH}} {kwh:10,.1f}",
                markup=False,
                highlight=False,
            )
    return True


def bar(value: float, *, highest: float) -> str:
    """Return a bar of at most 40 characters, to an eighth of one.

    >>> bar(5.0, highest=10.0)
    '████████████████████'
    >>> bar(-1.0, highest=10.0)
    ''
    """
    eighths = round(max(value, 0.0) / highest * _WIDTH * 8) if highest > 0 else 0
    return (_FULL * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()
