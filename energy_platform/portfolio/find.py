"""A point by what people call it: its id, or words of its name, device and site.

Here belongs how a typed name is understood; what is done with the point is the caller's.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.portfolio.resolved import Point, Portfolio

MOST_NAMED: Final = 8
"""Points that a message lists; more are no help to whoever has to choose."""

ALL_POINTS: Final = (
    '`energy-platform sql "select point_id, device_name, point_name from dim_point"`'
)


class PointNotFoundError(ValueError):
    """What was typed names no point, or several; the message lists those that come near."""


def find_point(portfolio: Portfolio, typed: str) -> Point:
    """Return the point that a person means.

    An id is taken as it is. Otherwise each word must begin a word of the point's id, name, device,
    site or quantity, in any order and case. Where several fit, as all points of a device do, the
    only one that counts energy is meant, else the only one that counts imported energy, else its
    only register.

    Args:
        portfolio: The points that there are.
        typed: An id (``vendor/serial/key``) or words, such as ``paris hvac``.

    Raises:
        PointNotFoundError: No point fits, or more than one does.
    """
    if (point := portfolio.points.get(typed)) is not None:
        return point
    fitting = fitting_points(portfolio, typed)
    imports = [one for one in fitting if one.quantity == "active_energy_import"]
    for narrower in (
        fitting,
        [one for one in fitting if one.is_energy],
        imports,
        [one for one in imports if one.kind == "register"],
    ):
        if len(narrower) == 1:
            return narrower[0]
    if fitting:
        raise PointNotFoundError(
            f"{len(fitting)} points fit {typed!r}: {_listed(fitting)}; type more words, or the id"
        )
    raise PointNotFoundError(why_none_fits(portfolio, typed))


def why_none_fits(portfolio: Portfolio, typed: str) -> str:
    """Say that no point fits what was typed, and which ids or words come near.

    Args:
        portfolio: The points that there are.
        typed: An id or words, of which no point has all.
    """
    near = difflib.get_close_matches(typed, portfolio.points, n=3, cutoff=0.5)
    if not near:
        there = {word for one in portfolio.points.values() for word in _words(portfolio, one)}
        typed_words = typed.casefold().split()
        meant = [
            word
            if any(one.startswith(word) for one in there)
            else next(iter(difflib.get_close_matches(word, there, n=1)), word)
            for word in typed_words
        ]
        near = [" ".join(meant)] if meant != typed_words else []
    hint = f"did you mean {' or '.join(near)}? All" if near else "all"
    return f"no point of the portfolio fits {typed!r}; {hint} of them: {ALL_POINTS}"


def fitting_points(portfolio: Portfolio, typed: str) -> list[Point]:
    """Return the points of which each word begins a word of id, name, device, site or quantity.

    Args:
        portfolio: The points that there are.
        typed: An id, or words in any order and case.
    """
    if (point := portfolio.points.get(typed)) is not None:
        return [point]
    words = typed.casefold().split()
    return [one for one in portfolio.points.values() if _fits(portfolio, one, words)]


def _fits(portfolio: Portfolio, point: Point, words: list[str]) -> bool:
    if not words:
        return False
    there = _words(portfolio, point)
    return all(
        any(one.startswith(part) for one in there)
        for word in words
        for part in word.replace("-", " ").split()
    )


def _words(portfolio: Portfolio, point: Point) -> list[str]:
    """Return the words by which a point can be meant."""
    site = portfolio.sites[point.site_id]
    text = " ".join(
        (
            point.point_id.replace("/", " "),
            point.name,
            point.device_name,
            point.site_id,
            site.name,
            point.quantity.replace("_", " "),
        )
    )
    return text.casefold().replace("-", " ").split()


def _listed(points: Iterable[Point]) -> str:
    ordered = sorted(points, key=lambda one: (not one.is_energy, one.point_id))
    named = [f"{one.point_id} ({one.device_name}: {one.name})" for one in ordered[:MOST_NAMED]]
    more = len(ordered) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
