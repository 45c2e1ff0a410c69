"""The figures of a page as plain records, named as the marts' columns are; None is unknown.

Energy is in kWh and power in kW unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from energy_platform.report.period import Period


@dataclass(frozen=True, kw_only=True)
class SiteInfo:
    """A site, as in ``dim_site``."""

    site_id: str
    site_name: str
    timezone: str
    country: str | None
    floor_area_m2: float | None


@dataclass(frozen=True, kw_only=True)
class Use:
    """The site's energy in the period, as in ``mart_site_energy_monthly`` and ``_weekly``."""

    site_use_kwh: float | None
    import_kwh: float | None
    export_kwh: float | None
    net_kwh: float | None
    generation_kwh: float | None
    charge_kwh: float | None
    discharge_kwh: float | None
    heating_kwh: float | None
    cooling_kwh: float | None
    estimated_wh: float | None
    refused_kwh: float | None
    least_covered_share: float | None
    points_counted: int
    points_unknown: int
    unconfirmed_points: int
    status: str | None
    heating_status: str | None
    heating_unconfirmed_points: int | None
    heating_least_covered_share: float | None
    cooling_status: str | None
    cooling_unconfirmed_points: int | None
    cooling_least_covered_share: float | None
    peak_kw: float | None
    peak_local_start: datetime | None
    peak_is_estimated: bool | None
    peak_outdoor_temperature: float | None
    peak_points_share: float | None
    peak_covered_share: float | None
    load_factor: float | None
    base_load_kw: float | None
    base_load_hours: int | None
    unoccupied_hours: int | None
    occupancy_basis: str | None
    use_kwh_per_m2: float | None
    heating_kwh_per_m2: float | None
    cooling_kwh_per_m2: float | None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Another period next to this one, as in ``mart_site_comparison``.

    Attributes:
        start: Its first day; None where there is no such period.
        comparison: ``like_for_like``, or why the two are not compared.
        change_share: Change of the mean power, as a share of the other period's.
    """

    start: date | None
    use_kwh: float | None
    status: str | None
    comparison: str
    change_kwh: float | None
    change_share: float | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """This period against the one before and the same one of last year."""

    previous: Compared
    last_year: Compared
    year_months: int | None
    year_use_kwh: float | None
    eui_kwh_per_m2: float | None


@dataclass(frozen=True, kw_only=True)
class Day:
    """A local day of the site, as in ``mart_site_energy``."""

    local_day: date
    site_use_kwh: float | None
    status: str | None
    least_covered_share: float | None
    refused_kwh: float | None
    peak_kw: float | None
    heating_kwh: float | None
    heating_status: str | None
    cooling_kwh: float | None
    cooling_status: str | None


@dataclass(frozen=True, kw_only=True)
class Hour:
    """Mean power of the site in an hour of its clock.

    Attributes:
        local_hour: Start on the site's clock.
        is_again: Whether the clock shows this hour for the second time.
        use_kw: Mean power; None where a point of the site is not known.
        is_measured: Whether every point is covered and nothing of it estimated.
    """

    local_hour: datetime
    is_again: bool
    use_kw: float | None
    is_measured: bool


@dataclass(frozen=True, kw_only=True)
class TreeMember:
    """A row of ``mart_submetering`` over the period: parent, child or remainder."""

    parent_point_id: str
    member: str
    point_id: str | None
    name: str | None
    energy_kwh: float | None
    share_of_parent: float | None
    share_of_site: float | None
    covered_share: float | None
    missing_children: int | None
    missing_point_ids: str | None
    is_negative: bool
    status: str


@dataclass(frozen=True, kw_only=True)
class PeakShare:
    """What a meter below the main took in the hour of the peak."""

    name: str
    energy_kwh: float | None


@dataclass(frozen=True, kw_only=True)
class Flows:
    """Where the site's electricity went, as in ``mart_self_consumption_*``; the flows in kWh."""

    production: float | None
    import_: float | None
    export: float | None
    load: float | None
    unexplained: float | None
    production_to_load: float | None
    production_to_battery: float | None
    production_to_grid: float | None
    battery_to_load: float | None
    battery_to_grid: float | None
    grid_to_load: float | None
    grid_to_battery: float | None
    self_consumption: float | None
    self_sufficiency: float | None
    self_sufficiency_least: float | None
    self_sufficiency_most: float | None
    specific_yield_kwh_per_kwp: float | None
    covered_share: float | None
    status: str


@dataclass(frozen=True, kw_only=True)
class Battery:
    """A battery over the period."""

    device_id: str
    name: str
    charge_kwh: float | None
    discharge_kwh: float | None
    round_trip_efficiency: float | None
    equivalent_cycles: float | None
    soc_min: float | None
    soc_max: float | None
    usable_capacity_kwh: float | None
    rated_capacity_kwh: float | None
    covered_share: float | None
    status: str


@dataclass(frozen=True, kw_only=True)
class Ups:
    """A UPS over the days of the period, from ``mart_ups_daily``.

    Attributes:
        load_rate_p95: The highest day's load rate not exceeded for 95 % of the time, %.
        load_rate_max: Highest load rate, %.
        efficiency: Output / input of the days on which both are covered.
        not_final_days: Days whose figures are not final.
    """

    device_id: str
    name: str
    load_rate_p95: float | None
    load_rate_max: float | None
    overload_s: float | None
    overload_events: float | None
    time_on_battery_s: float | None
    time_on_bypass_s: float | None
    efficiency: float | None
    covered_share: float | None
    not_final_days: int


@dataclass(frozen=True, kw_only=True)
class Valve:
    """An energy valve over the days of the period, from ``mart_valve_daily``.

    Attributes:
        energy_kwh: Heat and cold of the days known.
        unknown_days: Days whose energy is unknown.
        delta_t_k: Difference of temperatures, weighted by energy, K.
        below_design_share: Share of the energy at a smaller difference than designed.
        flow_energy_ratio: Energy from flow and difference / energy by the registers.
        saturated_share: Share of the known time at an opening of 95 % or more.
        reversals_per_hour: How often it turned round per hour of known position.
        not_final_days: Days whose figures are not final.
    """

    device_id: str
    name: str
    energy_kwh: float | None
    unknown_days: int
    delta_t_k: float | None
    design_delta_t_k: float | None
    below_design_share: float | None
    flow_energy_ratio: float | None
    saturated_share: float | None
    reversals_per_hour: float | None
    covered_share: float | None
    not_final_days: int


@dataclass(frozen=True, kw_only=True)
class PointQuality:
    """What came of a point in the period and what was set right, from ``fct_quality_daily``.

    Attributes:
        explain_day: A day on which something was set right, refused or set aside.
        refused_days: Days with something refused.
    """

    point_id: str
    name: str
    unit: str | None
    expected_samples: int | None
    received_samples: int
    quarantined_samples: int
    corrected_samples: int
    rejects: int
    gaps: int
    resets: int
    rollovers: int
    exchanges: int
    dips: int
    spike_reversals: int
    over_limit_steps: int
    estimated_steps: int
    refused_wh: float
    refused_consumption: float
    refused_days: int
    explain_day: date | None


@dataclass(frozen=True, kw_only=True)
class PointCoverage:
    """How much of the period a point of the site is known for, from ``fct_energy_daily``.

    Attributes:
        vendor: Name of its source.
        site_term: As what it counts for its site; None where it does not.
        uncovered_s: Seconds of service that no step covers, on days that are over.
        first_day: First day of which something is missing.
        last_day: The last one.
    """

    point_id: str
    name: str
    vendor: str
    site_term: str | None
    covered_share: float | None
    uncovered_s: float
    first_day: date | None
    last_day: date | None


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """Two instruments on one load over the period, from ``mart_instruments``."""

    point_id: str
    other_point_id: str
    difference_percent: float | None
    allowed_percent: float | None
    judged: int
    differ: int


@dataclass(frozen=True, kw_only=True)
class Restatement:
    """A figure of the period that was published as final and changed, from ``mart_restatements``.

    Attributes:
        scope_name: Name of the point or the site.
    """

    scope: str
    scope_name: str
    figure: str
    grain: str
    period_start: date
    unit: str
    old_value: float | None
    new_value: float | None
    restated_at: datetime
    why: str


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream of the site that waits, is behind or was refused packets, from ``mart_delivery``."""

    stream_id: str
    packets_refused: int
    behind_since: datetime | None
    blocked: bool
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Unconfirmed:
    """A point that counts for the site and that nobody has confirmed."""

    point_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the portfolio says of a point in the period: a correction, or energy that it accepts."""

    kind: str
    point_id: str
    start: datetime | None
    end: datetime | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All figures of a page.

    Attributes:
        as_of: Newest instant that the publication knows of.
        built_at: When it was built.
        is_running: Whether the period is not over.
        entries: Corrections and accepted spans of the portfolio; none where it was not given.
    """

    site: SiteInfo
    period: Period
    as_of: datetime
    built_at: datetime
    is_running: bool
    use: Use
    comparison: Comparison | None
    days: tuple[Day, ...]
    hours: tuple[Hour, ...]
    tree: tuple[TreeMember, ...]
    peak_shares: tuple[PeakShare, ...]
    flows: Flows | None
    batteries: tuple[Battery, ...]
    ups: tuple[Ups, ...]
    valves: tuple[Valve, ...]
    quality: tuple[PointQuality, ...]
    coverage: tuple[PointCoverage, ...]
    instruments: tuple[Instruments, ...]
    restatements: tuple[Restatement, ...]
    streams: tuple[Stream, ...]
    unconfirmed: tuple[Unconfirmed, ...]
    entries: tuple[Entry, ...] = field(default=())

    @property
    def status(self) -> str:
        """Status of what the page leads with: electricity, else heat, else cold."""
        use = self.use
        return use.status or use.heating_status or use.cooling_status or "open"

    @property
    def is_final(self) -> bool:
        """Whether nothing on it is missing, refused, unconfirmed or still to come."""
        found = (self.use.status, self.use.heating_status, self.use.cooling_status)
        return not self.is_running and {one for one in found if one is not None} == {"final"}
