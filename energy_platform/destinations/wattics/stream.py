"""A stream as agreed with Wattics, and the fields of its packets.

Source: Wattics data collection API, sections 3, 6 and 10.
"""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from energy_platform.destinations.base import FieldContent, FieldSpec
from energy_platform.portfolio.model import Stream

_NUMBERS: Final[dict[str, tuple[str, FieldContent]]] = {
    "aP": ("W", "gauge"),
    "rP": ("var", "gauge"),
    "apP": ("VA", "gauge"),
    "v": ("V", "gauge"),
    "c": ("A", "gauge"),
    "pC": ("Wh", "register"),
}
"""Unit and content by the beginning of a field's name (section 3)."""

ELECTRICITY_FIELDS: Final = (
    *(f"{name}_{phase}" for name in _NUMBERS for phase in (1, 2, 3)),
    *("v_12", "v_13", "v_23"),
)
"""The 21 fields of an electricity packet, in the order they are sent (section 3)."""

_ORDER: Final = {name: place for place, name in enumerate((*ELECTRICITY_FIELDS, "value"))}


class WatticsStream(Stream):
    """One stream at Wattics, as agreed with them (section 10)."""

    kind: Literal["electricity", "value"] = Field(
        description="electricity: up to 21 fields of one load; value: one number."
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        allowed = ELECTRICITY_FIELDS if self.kind == "electricity" else ("value",)
        if unknown := sorted(set(self.fields) - set(allowed)):
            raise ValueError(f"unknown fields {unknown}; allowed: {', '.join(allowed)}")
        if self.kind == "electricity" and self.reading != "cumulative":
            raise ValueError("an electricity stream is cumulative")
        if self.kind == "value" and self.unit is None:
            raise ValueError("a value stream needs the agreed unit")
        return self


def fields_of(stream: WatticsStream) -> list[FieldSpec]:
    """Return the fields of a stream's packets, in the order they are sent.

    >>> from datetime import timedelta
    >>> stream = WatticsStream(
    ...     id="el-1", kind="electricity", site="s", credential="default", reading="cumulative",
    ...     interval=timedelta(minutes=15), fields={"pC_1": "a/b/c", "v_1": "a/b/d"},
    ... )
    >>> [(one.name, one.unit, one.content) for one in fields_of(stream)]
    [('v_1', 'V', 'gauge'), ('pC_1', 'Wh', 'register')]
    """
    found = []
    for name in sorted(stream.fields, key=_ORDER.__getitem__):
        if name == "value":
            found.append(FieldSpec(name, stream.unit, "by_reading"))
        else:
            unit, content = _NUMBERS[name.split("_", maxsplit=1)[0]]
            # Registers take whole watt-hours (section 9).
            found.append(FieldSpec(name, unit, content, is_whole=content == "register"))
    return found
