"""What is wrong with an entry, as a sentence: what was typed, what was meant, what may stand."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from pydantic import BaseModel

from energy_platform.portfolio.model import PortfolioFile
from energy_platform.portfolio.values import shown
from energy_platform.transforms.units import ANY_UNIT, conversion, meant_unit, units_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Place = tuple[str | int, ...]
"""Where in the file: keys and list positions from the top."""

Problem = tuple[Place, str]
"""Where something is wrong, and what."""

_UNCHECKED: Final = ANY_UNIT | {"state"}
"""Quantities for which `discover` writes whatever unit the vendor says; nothing rests on it."""

_MOST_PROBLEMS: Final = 100
"""Problems reported at once; whoever has more has one, many times."""


def messages_of(errors: Sequence[Any]) -> Iterator[Problem]:
    """Return the problems of pydantic's errors, each in one sentence.

    What may stand is listed once per kind of entry: the same mistake in many lines is one mistake.

    Args:
        errors: As of ``ValidationError.errors()``.
    """
    listed: set[str] = set()
    for detail in errors[:_MOST_PROBLEMS]:
        place: Place = detail["loc"]
        path = ".".join(str(part) for part in place if part != "[key]") or "file"
        came = shown(detail["input"])
        yield place, f"{path}: {_words(detail, place, listed)}" + (f" (came: {came})" * bool(came))
    if len(errors) > _MOST_PROBLEMS:
        yield (), f"and {len(errors) - _MOST_PROBLEMS} more problems"


def unfit_unit(unit: str | None, *, quantity: str) -> str | None:
    """Say why numbers in a unit can never become a quantity, or None when they can.

    No unit at all is not judged here: the vendor's rows may say their own.
    """
    name = (unit or "").strip()
    if not name or quantity in _UNCHECKED or conversion(name, quantity=quantity) is not None:
        return None
    meant = meant_unit(name, quantity=quantity)
    hint = f" Did you mean {meant}?" if meant else ""
    return (
        f"{shown(name)} is not a unit of {quantity}, its readings could never be used.{hint} "
        f"Units that fit: {', '.join(units_of(quantity))}"
    )


def _words(detail: Any, place: Place, listed: set[str]) -> str:
    if detail["type"] == "extra_forbidden":
        return "there is no such key; " + _options(str(place[-1]), _keys_at(place), listed)
    if detail["type"] == "literal_error":
        allowed = _allowed(detail)
        return "is none of the words allowed here; " + _options(
            str(detail["input"]), allowed, listed
        )
    if detail["type"] == "missing":
        return "is missing"
    return str(detail["msg"]).removeprefix("Value error, ")


def _allowed(detail: Any) -> list[str]:
    """Return the words of a literal error: pydantic gives them quoted, in one text."""
    expected = str(detail["ctx"]["expected"]).replace(" or ", ", ")
    return [one.strip("'") for one in expected.split(", ")]


def _options(typed: str, allowed: Sequence[str], listed: set[str]) -> str:
    near = difflib.get_close_matches(typed, allowed, n=3, cutoff=0.6)
    every = f"one of {', '.join(allowed)}"
    if near:
        return f"did you mean {' or '.join(near)}?"
    if every in listed:
        return "see above for what may stand"
    listed.add(every)
    return every


def _keys_at(place: Place) -> list[str]:
    """Return the keys of the entry that holds a key."""
    model: type[BaseModel] = PortfolioFile
    is_name = False
    for part in place[:-1]:
        if is_name or isinstance(part, int):
            is_name = False
            continue
        field = next(
            (one for name, one in model.model_fields.items() if part in {name, one.alias}), None
        )
        below = None if field is None else _entry_of(field.annotation)
        if field is None or below is None:
            break
        is_name, model = get_origin(field.annotation) is dict, below
    return [one.alias or name for name, one in model.model_fields.items()]


def _entry_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((one for one in map(_entry_of, get_args(annotation)) if one is not None), None)
