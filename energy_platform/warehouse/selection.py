"""Which models a build leaves out, because nothing that they are made of has changed.

A node of dbt costs 60 ms of processor time even when it has nothing to do, and there are more than
a hundred (``benchmarks.scale``). Left out are models, with the tests that look at nothing else.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Final

from energy_platform.schemas import CORE_CONSUMPTION_DELTAS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from energy_platform.portfolio import Portfolio
    from energy_platform.warehouse.inputs import Input

OF_DAYS: Final = "config.materialized:incremental"
"""The models that follow from local days."""

_OF_CONSUMPTION: Final = ("fct_consumption_*",)
"""Of registers that count no energy, such as water meters; many a portfolio has none."""

_VIEWS: Final = "config.materialized:view"
_TABLES: Final = "config.materialized:table"

_OF_PORTFOLIO: Final = ("dim_device", "dim_point", "dim_site")
_OF_INVENTORY: Final = ("dim_customer",)
OF_LEDGER: Final = ("mart_delivery",)
_OF_NEWEST: Final = ("mart_last_values",)
"""Of the portfolio and of what the inventories show last: rebuilt along with anything else."""


def unchanged(
    old: Mapping[str, str], new: Mapping[str, str], *, has_days: bool, has_views: bool
) -> tuple[str, ...]:
    """Return the models that are as the last finished build left them, as dbt selects them.

    Args:
        old: What the last finished build rests on.
        new: What the build under way rests on, by the same rules.
        has_days: Whether any local day is rebuilt.
        has_views: Whether the views read the folder of the build under way.
    """

    def is_same(name: str) -> bool:
        return old.get(f"{name}_digest") == new[f"{name}_digest"]

    left_out = [_VIEWS] if has_views else []
    left_out += [] if has_days else [OF_DAYS]
    left_out += _OF_PORTFOLIO if is_same("portfolio") else ()
    left_out += _OF_INVENTORY if is_same("inventory") else ()
    left_out += OF_LEDGER if is_same("delivery") else ()
    if not has_days and is_same("portfolio") and is_same("inventory"):
        left_out += _OF_NEWEST
    return tuple(left_out)


def without_rows(*builds: Collection[Input]) -> tuple[str, ...]:
    """Return the models of what no day file has or had a row of: they are empty and stay so.

    Args:
        builds: The day files of the last build and of the one under way.
    """
    has_consumption = any(
        one.rows and one.table == CORE_CONSUMPTION_DELTAS.name
        for inputs in builds
        for one in inputs
    )
    return () if has_consumption else _OF_CONSUMPTION


def without_points(portfolio: Portfolio) -> tuple[str, ...]:
    """Return the models of what a portfolio has no point of.

    They are empty, as any build leaves them, and cost what a model costs that has nothing to do.
    """
    points = portfolio.points.values()
    kinds = {one.kind for one in points}
    roles = {one.role for one in points}
    gauges = {one.quantity for one in points if one.kind == "gauge"}
    has_source = bool(roles & {"generation", "storage"})
    wanted = {
        "fct_measurement_*": "gauge" in kinds,
        "fct_state_daily": bool(kinds & {"state", "bitfield"}),
        "mart_submetering": any(one.parent is not None for one in points),
        "mart_instruments": any(one.same_as is not None for one in points),
        "mart_energy_flows": has_source,
        "mart_self_consumption_*": has_source,
        "mart_battery_*": "storage" in roles,
        "mart_ups_daily": "load_rate" in gauges,
        "mart_valve_daily": bool(gauges & {"temperature_difference", "supply_temperature"}),
    }
    return tuple(models for models, is_wanted in wanted.items() if not is_wanted)


def still_empty(models: Iterable[str], *, rows: Mapping[str, int]) -> tuple[str, ...]:
    """Return those of the models whose tables hold nothing: a rule alone never leaves rows behind.

    Args:
        models: Names, or patterns of names.
        rows: Rows of every table that there is.
    """
    filled = [name for name, count in rows.items() if count]
    return tuple(one for one in models if not fnmatch.filter(filled, one))


def leaves_the_ledger(left_out: Sequence[str]) -> bool:
    """Whether the model of the ledger's rows is the only one that is left to build."""
    return leaves_nothing((*left_out, *OF_LEDGER)) and not leaves_nothing(left_out)


def leaves_nothing(left_out: Sequence[str]) -> bool:
    """Whether no model is left to build."""
    every = {
        _VIEWS,
        OF_DAYS,
        *_OF_PORTFOLIO,
        *_OF_INVENTORY,
        *OF_LEDGER,
        *_OF_NEWEST,
    }
    return every <= {*left_out}


def build_command(left_out: Sequence[str]) -> list[str]:
    """Return the dbt command that builds and tests all models but some.

    A test goes only when all that it looks at goes, so the tests between a fact and a dimension
    stay: that is dbt's cautious indirect selection.
    """
    command = ["build", "--indirect-selection", "cautious"]
    # One option each: dagster-dbt takes one value of an option for its own selection.
    return [*command, *(part for one in left_out for part in ("--exclude", one))]


def slice_command(left_out: Sequence[str], *, empty: Sequence[str], is_first: bool) -> list[str]:
    """Return the dbt command of a slice that others follow.

    The first one makes the tables and views of the whole build; later ones only what follows from
    their days.

    Args:
        left_out: Models that the whole build leaves out.
        empty: Models that stay without rows.
        is_first: Whether no slice came before.
    """
    done = left_out if is_first else (_VIEWS, _TABLES, *empty)
    # One model at a time: two would need the memory of two. The artifacts are those of the last
    # slice; to write them took a quarter of a second each time.
    return [*build_command(done), "--threads", "1", "--no-write-json"]
