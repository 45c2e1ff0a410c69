"""A device of the world: what a vendor lists, with the signals it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from energy_platform.simulators.world.signals import Signal


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """A meter, valve or gateway.

    Attributes:
        vendor: Whose cloud lists it.
        serial: Serial number (Socomec, Belimo) or decimal device id (SkyCentrics).
        name: Readable name.
        site: Key of its site.
        model: Model or dataprofile name.
        gateway: Serial of the gateway it hangs on (Socomec).
        signals: What it reports.
        mac: Hardware address, lower-case hex (SkyCentrics).
        traits: Marks for the vendor's simulator: ``no_profile``, ``no_last_seen``, ``error``,
            ``warning``, ``quiet``.
    """

    vendor: str
    serial: str
    name: str
    site: str
    model: str
    gateway: str | None = None
    signals: tuple[Signal, ...] = ()
    mac: str = ""
    traits: frozenset[str] = frozenset()
