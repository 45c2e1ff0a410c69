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
from energy_platform.portfolio.occupancy import NO_HOLIDAYS, WeeklyHours, check_region
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
from energy_platform.schemas import VIRTUAL, Carrier, Kind, Phase, Quantity, Role, Vendor
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

    id: Id = Field(description="Name by which devices and streams refer to the site.")
    name: str = Field(description="Name shown to users.")
    timezone: Zone = Field(description="IANA time zone of its local days, such as Europe/Paris.")
    country: str | None = Field(None, description="ISO code of its country, such as FR.")
    confidence: Confidence | None = Field(
        None, description="How sure the guess of its zone is; remove it once confirmed."
    )
    floor_area_m2: Positive | None = Field(
        None, description="Floor area that its energy is divided by, m²."
    )
    occupancy: WeeklyHours | None = Field(
        None, description="When people are in it, by weekday, such as mon-fri: 08:00-19:00."
    )
    holidays: Text | None = Field(
        None,
        description="Whose public holidays it is empty on, such as FR or DE-BY; none. By default "
        "those of its country.",
    )

    @property
    def holiday_region(self) -> str | None:
        """Whose public holidays it is empty on; None without occupancy, or where none count."""
        region = self.holidays or self.country
        return None if self.occupancy is None or region in {None, NO_HOLIDAYS} else region

    @model_validator(mode="after")
    def _knows_its_holidays(self) -> Self:
        if self.occupancy is None:
            return self
        if self.holidays is None and self.country is None:
            raise ValueError(
                "occupancy needs to know whose public holidays count: give country, such as FR, "
                "or holidays: DE-BY with a subdivision, or holidays: none"
            )
        if self.holiday_region is not None:
            check_region(self.holiday_region)
        return self


class ResetMarkerEntry(_Entry):
    """An announced exchange of a meter."""

    at: LocalInstant = Field(
        description="When: an instant, or a date, its midnight on the clock of the site."
    )
    final_wh: Number | None = Field(None, description="Last reading of the old register, Wh.")
    start_wh: Number | None = Field(None, description="First reading of the new register, Wh.")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.final_wh is None) != (self.start_wh is None):
            raise ValueError("give final_wh and start_wh together, or neither")
        return self


class PolicyEntry(_Entry):
    """Settings of the register rule that differ from the defaults."""

    on_fall: OnFall | None = Field(
        None, description="Energy of a fall that is not noise; count_after: what was counted since."
    )
    reset_base_wh: Number | None = Field(
        None, description="Reading at which the register begins again, for count_after_minus_base."
    )
    dip_ratio: Limit | None = Field(
        None, description="Falls that keep this share are noise (0.9); none turns it off."
    )
    glitch: Literal["drop", "keep"] | None = Field(
        None, description="keep: every reading settles at once; drop: passing ones are left out."
    )
    confirm: Whole | None = Field(
        None, description="Readings that must agree before a new level is believed (3)."
    )
    register_modulus_wh: Number | None = Field(
        None, description="Wh at which a register that rolls over begins again."
    )
    max_power_w: Limit | None = Field(
        None, description="Rated power in W that bounds a plausible step; none: it is learned."
    )
    resolution_wh: Number | None = Field(None, description="Step of a coarse register, Wh.")
    gap_after: DurationOrNever | None = Field(
        None, description="Longer steps are marked as estimated (2h), or never."
    )
    reset_markers: tuple[ResetMarkerEntry, ...] | None = Field(
        None, description="Announced exchanges of the meter."
    )

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


class PartSpec(_Entry):
    """What a virtual point is made of: a point times a factor, or a constant."""

    point: Text | None = Field(None, description="Id of the point, vendor/serial/key.")
    factor: Number = Field(1.0, description="Is counted this many times; -1 subtracts it.")
    constant: Number | None = Field(
        None, description="Constant power in W; of an energy for as long as its parts are known."
    )

    @model_validator(mode="after")
    def _is_one_part(self) -> Self:
        if (self.point is None) == (self.constant is None):
            raise ValueError("a part of a virtual point is either a point or a constant")
        if self.factor == 0 or (self.constant is not None and self.factor != 1.0):
            raise ValueError("factor is of a point, and not 0")
        return self


def _part(entry: object) -> object:
    return {"point": entry} if isinstance(entry, str) else entry


Part = Annotated[PartSpec, BeforeValidator(_part, json_schema_input_type=PartSpec | str)]
"""An entry of ``of``; a text alone is the id of a point that is counted once."""


class PointSpec(PolicyEntry):
    """One point of a device or a device type; with the policy's settings in the same entry."""

    key: Text = Field(description="The vendor's own key: service triple, datapoint or sensor id.")
    name: str = Field(description="Name shown to users.")
    quantity: Quantity = Field(
        description="What is measured, such as active_energy_import or temperature."
    )
    unit: str | None = Field(None, description="Unit the vendor counts in; rows may say their own.")
    kind: Kind | None = Field(
        None,
        description="How its numbers are to be read; by default register of energies, else gauge.",
    )
    phase: Phase = Field("total", description="Phase that it measures.")
    carrier: Carrier | None = Field(
        None, description="What flows, where it differs from the device's."
    )
    role: Role | None = Field(
        None, description="Place in the site's balance, where it differs from the device's."
    )
    sign: Sign = Field(1, description="-1 turns a gauge round.")
    states: dict[str, StateNumber] = Field(
        default_factory=dict,
        description="Words of a state as numbers; other words are quarantined.",
    )
    every: Duration | None = Field(None, description="Expected time between two samples.")
    stamp: Literal["start", "end"] | None = Field(
        None, description="Which end of its period an increment is stamped at; the end."
    )
    width: Duration | None = Field(
        None, description="Length of an increment's period, where it is not the pace of samples."
    )
    maximum: Number | None = Field(None, description="Largest believable value, canonical unit.")
    rated_capacity_wh: Positive | None = Field(
        None, description="Capacity behind a battery's counter, Wh."
    )
    energy_from_power: bool = Field(
        False, description="Integrate this power because the device has no register."
    )
    parent: Text | None = Field(
        None, description="Id of the point of the meter that it stands behind, vendor/serial/key."
    )
    same_as: Text | None = Field(
        None, description="Id of the point that measures the same load; counted once, compared."
    )
    accuracy_percent: Positive | None = Field(
        None, description="Largest error of the instrument by its class, % of what it measures."
    )
    of: tuple[Part, ...] = Field(
        (), description="Points that a virtual point is the sum of; only of vendor virtual."
    )
    until: LocalInstant | None = Field(
        None, description="From here on the point is out of service: nothing is expected of it."
    )
    confidence: Confidence | None = Field(
        None, description="How sure a guess of `discover` is; remove it once confirmed."
    )


def _registered(name: object) -> object:
    if name == VIRTUAL or name in sources():
        return name
    known = ", ".join(f"{one!r}" for one in (*sources(), VIRTUAL))
    raise PydanticKnownError("literal_error", {"expected": known})


Source = Annotated[Vendor, BeforeValidator(_registered)]
"""Name of a source that is registered, or ``virtual``."""


class DeviceType(_Entry):
    """Points shared by devices of one type."""

    points: tuple[PointSpec, ...] = Field(description="Points that every device of the type has.")


class Device(_Entry):
    """One device of a vendor."""

    vendor: Source = Field(
        description="The source it is read from; virtual: it is computed from other points."
    )
    serial: Text = Field(description="Serial number, or what the source has in its place.")
    site: Text = Field(description="Id of its site.")
    name: str = Field(description="Name shown to users.")
    type: str | None = Field(None, description="Device type whose points it has.")
    carrier: Carrier | None = Field(None, description="What flows through it.")
    role: Role = Field(
        "none",
        description="Place in the site's balance; sub and none do not count in its use.",
    )
    max_power_w: RatedPower | None = Field(
        None, description="Rated power in W of its registers; none: it is learned."
    )
    peak_power_w: Positive | None = Field(
        None, description="Installed power of a plant at standard test conditions, W (Wp)."
    )
    rated_capacity_wh: Positive | None = Field(None, description="Capacity of a battery, Wh.")
    design_delta_t_k: Positive | None = Field(
        None, description="Difference of temperatures a valve's circuit is designed for, K."
    )
    every: Duration | None = Field(
        None, description="Expected time between two samples of its points."
    )
    parent: Text | None = Field(
        None,
        description="Id of the point it stands behind: meant of its point that measures the same.",
    )
    same_as: Text | None = Field(
        None,
        description="Id of the point of the same load: meant of its point that measures the same.",
    )
    accuracy_percent: Positive | None = Field(
        None, description="Largest error of its energies by its class, % of what they measure."
    )
    until: LocalInstant | None = Field(
        None, description="From here on the device is out of service, with all its points."
    )
    confidence: Confidence | None = Field(
        None, description="How sure the guess of its site and role is; remove it once confirmed."
    )
    read: bool = Field(
        True, description="False leaves the device out: the vendor is not asked for it."
    )
    points: tuple[PointSpec, ...] = Field(
        (), description="Points of its own; one with the key of a type's point replaces it."
    )


class Correction(_Entry):
    """A reviewed change of what the vendor said, or of how it is read."""

    points: tuple[Text, ...] = Field(
        min_length=1, description="Ids of the points, vendor/serial/key."
    )
    reason: str = Field(min_length=3, description="Why, in an operator's words.")
    start: LocalInstant | None = Field(
        None,
        alias="from",
        description="First instant; a date is its midnight on the clock of the site.",
    )
    end: LocalInstant | None = Field(
        None,
        alias="to",
        description="First instant after it; a date is its midnight on the clock of the site.",
    )
    timezone: Zone | None = Field(
        None, description="Zone of dates without a time; without it, the site's of each point."
    )
    factor: Number | None = Field(None, description="Readings are multiplied by it.")
    offset: Number | None = Field(
        None, description="Is added to the readings, in the vendor's unit."
    )
    drop: bool = Field(False, description="Leave the readings out.")
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

    points: tuple[Text, ...] = Field(
        min_length=1, description="Ids of the registers, vendor/serial/key."
    )
    reason: str = Field(min_length=3, description="Why, in an operator's words.")
    start: ClockInstant = Field(
        alias="from", description="First instant, on the clock of the site."
    )
    end: ClockInstant = Field(
        alias="to", description="First instant after it, on the clock of the site."
    )


class Stream(_Entry):
    """One stream of packets, as agreed with its destination; each destination's own adds to it."""

    id: Id = Field(description="Id of the stream at its destination.")
    destination: str = Field(
        DEFAULT_DESTINATION, description="Where it goes, by the destination's name."
    )
    kind: str = Field("value", description="Which of the destination's kinds of packets.")
    site: Text = Field(description="Id of the site whose clock its packets are on.")
    credential: str = Field(description="Which of the destination's credentials sends it.")
    interval: Duration = Field(
        description="Agreed time between two packets, such as 15m; divides a day."
    )
    reading: Literal["cumulative", "average", "per_interval"] = Field(
        description="What its numbers are."
    )
    unit: str | None = Field(None, description="Agreed unit of a value.")
    timezone: Zone | None = Field(
        None, description="Zone of its packets, where it is not the site's."
    )
    start: LocalInstant | None = Field(
        None, description="When it goes live; a date is its midnight on the clock of the stream."
    )
    stamp: Literal["grid", "sample"] = Field(
        "grid", description="grid: packets stand on the interval; sample: at the reading."
    )
    on_reject: Literal["skip", "stop"] | None = Field(
        None, description="What follows a packet that is refused."
    )
    allow_backfill: bool = Field(
        False, description="Whether late values may be sent behind the newest packet."
    )
    fields: dict[str, Text] = Field(
        min_length=1, description="Point behind each field of a packet, by the field's name."
    )

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

    version: Literal[1] = Field(description="Version of this format.")
    sites: tuple[Site, ...] = Field(description="Places with their own clocks.")
    device_types: dict[Id, DeviceType] = Field(
        default_factory=dict, description="Points shared by equal devices, by the type's name."
    )
    devices: tuple[Device, ...] = Field((), description="Devices of the vendors with their points.")
    corrections: tuple[Correction, ...] = Field(
        (), description="Reviewed changes of what a vendor said, or of how it is read."
    )
    accept: tuple[Acceptance, ...] = Field(
        (), description="Spans of time in which refused energy is energy after all."
    )
    streams: tuple[Annotated[Stream, WrapValidator(_of_its_destination)], ...] = Field(
        (), description="Streams of packets, as agreed with their destination."
    )

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
