"""Which models a build leaves out, because nothing that they are made of has changed.

A node of dbt costs 60 ms of processor time even when it has nothing to do, and there are more than
a hundred (``benchmarks.scale``). Left out are models, with the tests that look at nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OF_DAYS: Final = "config.materialized:incremental"
"""The models that follow from local days."""

_VIEWS: Final = "config.materialized:view"
_TABLES: Final = "config.materialized:table"

_OF_PORTFOLIO: Final = ("dim_device", "dim_point", "dim_site")
_OF_INVENTORY: Final = ("dim_customer",)
_OF_LEDGER: Final = ("mart_delivery",)
_OF_NEWEST: Final = ("mart_last_values",)
"""Of the portfolio and of what the inventories show last: rebuilt along with anything else."""


def unchanged(old: Mapping[str, str], new: Mapping[str, str], *, has_days: bool) -> tuple[str, ...]:
    """Return the models that are as the last finished build left them, as dbt selects them.

    Args:
        old: What the last finished build rests on.
        new: What the build under way rests on, by the same rules.
        has_days: Whether any local day is rebuilt.
    """

    def is_same(name: str) -> bool:
        return old.get(f"{name}_digest") == new[f"{name}_digest"]

    left_out = [_VIEWS]
    left_out += [] if has_days else [OF_DAYS]
    left_out += _OF_PORTFOLIO if is_same("portfolio") else ()
    left_out += _OF_INVENTORY if is_same("inventory") else ()
    left_out += _OF_LEDGER if is_same("delivery") else ()
    if not has_days and is_same("portfolio") and is_same("inventory"):
        left_out += _OF_NEWEST
    return tuple(left_out)


def leaves_nothing(left_out: Sequence[str]) -> bool:
    """Whether no model is left to build."""
    every = {
        _VIEWS,
        OF_DAYS,
        *_OF_PORTFOLIO,
        *_OF_INVENTORY,
        *_OF_LEDGER,
        *_OF_NEWEST,
    }
    return every <= {*left_out}


def build_command(left_out: Sequence[str]) -> list[str]:
    """Return the dbt command that builds and tests all models but some.

    A test goes only when all that it looks at goes, so the tests between a fact and a dimension
    stay: that is dbt's cautious indirect selection.
    """
    command = ["build", "--indirect-selection", "cautious"]
    return [*command, "--exclude", *left_out] if left_out else command


def slice_command(left_out: Sequence[str], *, is_first: bool) -> list[str]:
    """Return the dbt command of a slice that others follow.

    The first one makes the tables and views of the whole build; later ones only what follows from
    their days.
    """
    # One model at a time: two would need the memory of two.
    return [*build_command(left_out if is_first else (_VIEWS, _TABLES)), "--threads", "1"]
