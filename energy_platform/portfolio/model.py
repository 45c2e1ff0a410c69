"""The shape of portfolio.yaml, entry by entry, as it is typed.

What an entry inherits, and what several entries say together, is resolved in ``load``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from energy_platform.destinations import DEFAULT_DESTINATION
from energy_platform.destinations.base import destination
from energy_platform.portfolio.values import (
    ClockInstant,
    Duration,
    DurationOrNever,
    Id,
    Limit,
    LocalInstant,
    Number,
    Positive,
    RatedPower,
    Sign,
    StateNumber,
    Text,
    Whole,
    Zone,
    on_the_clock,
)
from energy_platform.schemas import Carrier, Kind, Phase, Quantity, Role, Vendor
from energy_platform.sources.registry import sources
from energy_platform.transforms.policy import CounterPolicy, OnFall

ENDS_BEFORE: Final = "'to' must lie after 'from'"
"""Said of a correction that ends before it begins."""

SHORTEST_INTERVAL: Final = timedelta(minutes=1)
"""The finest interval that can be agreed for a stream."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Confidence = Literal["high", "medium", "low"]
"""How sure a guess of ``discover`` is that nobody has confirmed; no confidence: confirmed."""


class Site(_Entry):
    """A place with its own clock."""

    id: Id
    name: str
    timezone: Zone
    country: str | None = None
    confidence: Confidence | None = Field(
        None, description="How sure the guess of its zone is; remove it once confirmed."
    )


class ResetMarkerEntry(_Entry):
    """An announced exchange of a meter."""

    at: LocalInstant
    final_wh: Number | None = None
    start_wh: Number | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.final_wh is None) != (self.start_wh is None):
            raise ValueError("give final_wh and start_wh together, or neither")
        return self


class PolicyEntry(_Entry):
    """Settings of the register rule that differ from the defaults."""

    on_fall: OnFall | None = None
    reset_base_wh: Number | None = None
    dip_ratio: Limit | None = None
    glitch: Literal["drop", "keep"] | None = None
    confirm: Whole | None = None
    register_modulus_wh: Number | None = None
    max_power_w: Limit | None = None
    resolution_wh: Number | None = None
    gap_after: DurationOrNever | None = None
    reset_markers: tuple[ResetMarkerEntry, ...] | None = None

    def on_the_clock(self, timezone: str) -> Self:
        """Return the entry with the dates of its markers as instants of a zone's clock."""
        if self.reset_markers is None:
            return self
        markers = tuple(
            marker.model_copy(update={"at": on_the_clock(marker.at, timezone=timezone)})
            for marker in self.reset_markers
        )
        return self.model_copy(update={"reset_markers": markers})

    def settings(self) -> dict[str, Any]:
        """Return the ``CounterPolicy`` arguments this entry sets."""
        found: dict[str, Any] = {}
        for name in PolicyEntry.model_fields:
            value = getattr(self, name)
            if value is None:
                continue
            if name == "reset_markers":
                found[name] = tuple(
                    marker.at
                    if marker.final_wh is None or marker.start_wh is None
                    else (marker.at, marker.final_wh, marker.start_wh)
                    for marker in value
                )
            else:
                found[name] = None if value in {"none", "never"} else value
        return found

    @model_validator(mode="after")
    def _is_a_policy(self) -> Self:
        # Which instant a date is does not matter here: the zone is not known yet.
        CounterPolicy(**self.on_the_clock("UTC").settings())
        return self


class PointSpec(PolicyEntry):
    """One point of a device or a device type; with the policy's settings in the same entry."""

    key: Text = Field(description="The vendor's own key: service triple, datapoint or sensor id.")
    name: str
    quantity: Quantity
    unit: str | None = Field(None, description="Unit the vendor counts in; rows may say their own.")
    kind: Kind | None = None
    phase: Phase = "total"
    carrier: Carrier | None = None
    role: Role | None = None
    sign: Sign = 1
    states: dict[str, StateNumber] = Field(default_factory=dict)
    every: Duration | None = Field(None, description="Expected time between two samples.")
    stamp: Literal["start", "end"] | None = Field(
        None, description="Which end of its period an increment is stamped at; the end."
    )
    width: Duration | None = Field(
        None, description="Length of an increment's period, where it is not the pace of samples."
    )
    maximum: Number | None = Field(None, description="Largest believable value, canonical unit.")
    rated_capacity_wh: Positive | None = None
    energy_from_power: bool = False
    until: LocalInstant | None = Field(
        None, description="From here on the point is out of service: nothing is expected of it."
    )
    confidence: Confidence | None = Field(
        None, description="How sure a guess of `discover` is; remove it once confirmed."
    )


def _registered(name: object) -> object:
    if name in sources():
        return name
    known = ", ".join(f"{one!r}" for one in sources())
    raise PydanticKnownError("literal_error", {"expected": known})


Source = Annotated[Vendor, BeforeValidator(_registered)]
"""Name of a source that is registered."""


class DeviceType(_Entry):
    """Points shared by devices of one type."""

    points: tuple[PointSpec, ...]


class Device(_Entry):
    """One device of a vendor."""

    vendor: Source
    serial: Text = Field(description="Serial number, or what the source has in its place.")
    site: Text
    name: str
    type: str | None = None
    carrier: Carrier | None = None
    role: Role = "none"
    max_power_w: RatedPower | None = None
    every: Duration | None = None
    until: LocalInstant | None = Field(
        None, description="From here on the device is out of service, with all its points."
    )
    confidence: Confidence | None = Field(
        None, description="How sure the guess of its site and role is; remove it once confirmed."
    )
    read: bool = Field(
        True, description="False leaves the device out: the vendor is not asked for it."
    )
    points: tuple[PointSpec, ...] = ()


class Correction(_Entry):
    """A reviewed change of what the vendor said, or of how it is read."""

    points: tuple[Text, ...] = Field(min_length=1)
    reason: str = Field(min_length=3)
    start: LocalInstant | None = Field(None, alias="from")
    end: LocalInstant | None = Field(None, alias="to")
    timezone: Zone | None = Field(
        None, description="Zone of dates without a time; without it, the site's of each point."
    )
    factor: Number | None = None
    offset: Number | None = None
    drop: bool = False
    policy: PolicyEntry | None = Field(
        None, description="Policy settings for the UTC days that the entry touches."
    )

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if self.drop and (self.factor is not None or self.offset is not None):
            raise ValueError("a correction either drops readings or changes them")
        if not self.drop and self.factor is None and self.offset is None and self.policy is None:
            raise ValueError("a correction needs factor, offset, drop or policy")
        is_alike = self.start and self.end and (not self.start.tzinfo) == (not self.end.tzinfo)
        if is_alike and self.end <= self.start:  # type: ignore[operator]
            raise ValueError(ENDS_BEFORE)
        return self

    def on_the_clock(self, timezone: str) -> Correction:
        """Return the correction with dates as instants, on its own clock or else the given one."""
        zone = self.timezone or timezone
        read: dict[str, Any] = {
            name: None if moment is None else on_the_clock(moment, timezone=zone)
            for name, moment in (("start", self.start), ("end", self.end))
        }
        read["policy"] = None if self.policy is None else self.policy.on_the_clock(zone)
        return self.model_copy(update=read)


class Acceptance(_Entry):
    """A reviewed span of time in which what the register rule refused is energy after all."""

    points: tuple[Text, ...] = Field(min_length=1)
    reason: str = Field(min_length=3)
    start: ClockInstant = Field(alias="from")
    end: ClockInstant = Field(alias="to")


class Stream(_Entry):
    """One stream of packets, as agreed with its destination; each destination's own adds to it."""

    id: Id
    destination: str = Field(
        DEFAULT_DESTINATION, description="Where it goes, by the destination's name."
    )
    kind: str = Field("value", description="Which of the destination's kinds of packets.")
    site: Text
    credential: str
    interval: Duration
    reading: Literal["cumulative", "average", "per_interval"]
    unit: str | None = None
    timezone: Zone | None = None
    start: LocalInstant | None = Field(
        None, description="When it goes live; a date is its midnight on the clock of the stream."
    )
    stamp: Literal["grid", "sample"] = "grid"
    on_reject: Literal["skip", "stop"] | None = None
    allow_backfill: bool = False
    fields: dict[str, Text] = Field(min_length=1)

    def on_the_clock(self, timezone: str) -> Stream:
        """Return the stream with its start as an instant, on its own clock or else the given."""
        if self.start is None:
            return self
        start = on_the_clock(self.start, timezone=self.timezone or timezone)
        return self.model_copy(update={"start": start})

    @model_validator(mode="after")
    def _is_agreed(self) -> Self:
        seconds = self.interval.total_seconds()
        if self.interval < SHORTEST_INTERVAL or seconds != int(seconds) or 86_400 % seconds:
            raise ValueError("interval must divide a day and be at least 1m")
        return self


def _of_its_destination(entry: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Read a stream's entry by the model of the destination that it names."""
    if not isinstance(entry, dict):
        return handler(entry)
    name = entry.get("destination", DEFAULT_DESTINATION)
    return destination(str(name)).stream_model.model_validate(entry)


class PortfolioFile(_Entry):
    """The whole file."""

    version: Literal[1]
    sites: tuple[Site, ...]
    device_types: dict[Id, DeviceType] = Field(default_factory=dict)
    devices: tuple[Device, ...] = ()
    corrections: tuple[Correction, ...] = ()
    accept: tuple[Acceptance, ...] = ()
    streams: tuple[Annotated[Stream, WrapValidator(_of_its_destination)], ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _empty_sections(cls, content: Any) -> Any:
        """Take a section whose entries are all commented out for an empty one."""
        if not isinstance(content, dict):
            return content
        empty: dict[str, Any] = dict.fromkeys(("sites", "devices", "streams"), ())
        empty |= {"corrections": (), "accept": (), "device_types": {}}
        return {
            key: empty.get(key) if value is None and key in empty else value
            for key, value in content.items()
        }
