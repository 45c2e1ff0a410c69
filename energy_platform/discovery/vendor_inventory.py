"""What a vendor's inventory comes to: sites, devices and proposed points.

Records only; how a source fills them is in its own folder, how they become a portfolio in
``propose``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.portfolio.model import Confidence
    from energy_platform.schemas import Carrier, Kind, Phase, Quantity, Role, Vendor

TO_CONFIRM: Final = "TO CONFIRM"
"""Mark in the portfolio's comments of what only an operator can know."""

SHARED: Final = (
    "{vendor}: several devices have the serial number of {name}; it is kept apart by its id. "
    "Have the vendor set the numbers right"
)
"""Said of each device that is not named by its serial number alone."""


@dataclass(frozen=True, kw_only=True)
class ProposedPoint:
    """One point, as far as the vendor's own words say.

    Attributes:
        key: The vendor's key.
        name: Name shown to users.
        quantity: What is measured; ``other`` when the words do not say.
        unit: Unit the vendor counts in, None when it says none.
        kind: How the numbers are to be read.
        phase: Phase or total.
        item: Part of the device that it measures, such as an input or a load, where the vendor says
            it: gauges go to the stream of the register of their item.
        carrier: Where it differs from the device's.
        role: Where it differs from the device's.
        states: Numbers of texts that are numbers by definition.
        needs_power: Whether a register needs a rated power that nobody said.
        every: Seconds between two samples, None when the vendor does not say or the data differ.
        width: Seconds of an increment's period, where the source says them.
        stamp: Which end of its period an increment is stamped at, where the source says it.
        is_implausible: Whether the number seen cannot be what its name says.
        confidence: How sure the guess is.
        why: What it rests on.
        confirm: What an operator has to look at, empty when nothing.
    """

    key: str
    name: str
    quantity: Quantity
    unit: str | None
    kind: Kind
    phase: Phase = "total"
    item: str = ""
    carrier: Carrier | None = None
    role: Role | None = None
    states: tuple[tuple[str, float], ...] = ()
    needs_power: bool = False
    every: float | None = None
    width: float | None = None
    stamp: Literal["start", "end"] | None = None
    is_implausible: bool = False
    confidence: Confidence
    why: str
    confirm: str = ""


@dataclass(frozen=True, kw_only=True)
class ProposedSite:
    """A site of a vendor.

    Attributes:
        key: What identifies it at the vendor.
        name: Name shown to users.
        timezone: IANA zone: the vendor's, or one to confirm.
        country: ISO code, None when the vendor says none.
        city: City of its address, None when the vendor says none.
        confirm: Why the zone is to be confirmed, empty when the vendor said it.
    """

    key: str
    name: str
    timezone: str
    country: str | None = None
    city: str | None = None
    confirm: str = ""

    @property
    def is_placeholder(self) -> bool:
        """Whether nothing says its zone, so that UTC stands for it."""
        return bool(self.confirm) and self.timezone == "UTC"


@dataclass(frozen=True, kw_only=True)
class ProposedDevice:
    """A device of a vendor.

    Attributes:
        vendor: Whose.
        serial: Serial number, or the vendor's id of a device that has none.
        site: Key of its site.
        name: Name shown to users.
        model: What kind of device it is, for the name of its device type.
        points: Guessed points, energy first.
        left_out: Further keys the vendor lists, with the reason why they are not points.
        keys_known: Whether the vendor said which points the device has.
        carrier: Energy carrier of all its points.
        role: Part in the site's balance.
        role_confirm: Why the role is to be confirmed, empty when there is nothing to confirm.
        needs_power: Whether its registers need the device's rated power.
        remarks: What somebody should know, one sentence each.
    """

    vendor: Vendor
    serial: str
    site: str
    name: str
    model: str
    points: tuple[ProposedPoint, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    keys_known: bool = True
    carrier: Carrier | None = None
    role: Role = "none"
    role_confirm: str = ""
    needs_power: bool = False
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class VendorInventory:
    """One vendor's inventory.

    Attributes:
        sites: By key.
        devices: By serial number, in order.
        remarks: What was odd about the inventory, one sentence each.
    """

    sites: Mapping[str, ProposedSite]
    devices: Mapping[str, ProposedDevice]
    remarks: tuple[str, ...] = ()
