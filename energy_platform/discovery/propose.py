"""What the vendors' inventories would change in a portfolio, without changing what is there.

Comparing belongs here; lines of YAML are made in ``yaml_entries`` and put in by ``yaml_editor``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

import yaml

from energy_platform.discovery.comments import proposed_behind
from energy_platform.discovery.keywords import free_name, slug
from energy_platform.discovery.places import Place, matches
from energy_platform.discovery.registers import once_per_site
from energy_platform.discovery.vendor_inventory import TO_CONFIRM
from energy_platform.discovery.yaml_editor import NEW_FILE, PortfolioText, TextError
from energy_platform.discovery.yaml_entries import (
    device_entry,
    proposed_points,
    site_entry,
    type_entry,
)
from energy_platform.discovery.zones import UNKNOWN_ZONE
from energy_platform.identity import device_id, point_id
from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform.portfolio.load import merge_files, parse_file
from energy_platform.portfolio.parts import YamlFile
from energy_platform.schemas import Quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from energy_platform.discovery.vendor_inventory import (
        ProposedDevice,
        ProposedPoint,
        ProposedSite,
        VendorInventory,
    )
    from energy_platform.discovery.yaml_entries import Lines
    from energy_platform.portfolio.model import Device, PortfolioFile, Site
    from energy_platform.schemas import Vendor

_COMMENTED_KEY: Final = re.compile(r"^\s*#[#\s]*(?:-\s+)?key:\s*(.+?)\s*$", re.MULTILINE)

_EXPORTED: Final = ("sites", "device_types", "devices", "corrections", "accept", "streams")


_NAMED: Final = frozenset(get_args(Quantity)) - {"other"}

_TELLING: Final[Mapping[str, frozenset[str]]] = {
    "other": _NAMED,
    "temperature": frozenset({"supply_temperature", "return_temperature", "outdoor_temperature"}),
    "count": frozenset({"overload_count"}),
    "operating_time": frozenset({"time_on_battery", "time_on_bypass"}),
}
"""Quantities that say less than others, and those that say more of the same numbers.

Until 0.2.0 the general ones were all there was; a portfolio that has them stays as it is.
"""

_SHOWN_NAMES: Final = 12
"""Names offered in one remark: those of a device type or two."""


class DiscoveryError(RuntimeError):
    """The portfolio could not be extended; the message says what to do. Nothing was written."""


class PartChange(NamedTuple):
    """A further file of the portfolio as it is and as it would be.

    Attributes:
        name: The file.
        before: Its text.
        after: Its text with what is added.
    """

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A portfolio as it is and as it would be.

    Attributes:
        before: The text, None when there is no file.
        after: The text with the additions.
        parts: Its further files of which any has additions.
        sites: Ids of sites that are added.
        types: Names of device types that are added.
        devices: Devices that are added, ``vendor/serial``.
        proposed: Points proposed as comments, per device or device type.
        vanished: What the portfolio has and the vendor no longer lists, one sentence each.
        remarks: What somebody should know, one sentence each.
    """

    before: str | None
    after: str
    parts: tuple[PartChange, ...] = ()
    sites: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    proposed: Mapping[str, int] = field(default_factory=dict)
    vanished: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything would be written."""
        return self.before != self.after or bool(self.parts)

    @property
    def to_confirm(self) -> int:
        """Entries of the new texts that an operator has to look at."""
        return sum(confirmations(text) for text in (self.after, *(one.after for one in self.parts)))

    def diff(self, *, name: str) -> list[str]:
        """Return a unified diff, one line each without its line break."""
        main = PartChange(name, self.before or "", self.after)
        return [
            line.rstrip("\r\n")
            for one in (main, *self.parts)
            for line in unified_diff(
                one.before.splitlines(keepends=True),
                one.after.splitlines(keepends=True),
                fromfile=one.name,
                tofile=f"{one.name} (proposed)",
            )
        ]


def confirmations(text: str) -> int:
    """Count the entries of a portfolio's text that are still to be confirmed."""
    return sum(
        TO_CONFIRM in line.partition("#")[2]
        for line in text.splitlines()
        if not line.lstrip().startswith("#")
    )


def propose(
    text: str | None,
    found: Mapping[Vendor, VendorInventory],
    *,
    name: str = "portfolio.yaml",
    parts: Sequence[YamlFile] = (),
) -> Proposal:
    """Work out what to add to a portfolio.

    New devices come with their sites and device types. Points that a known device has beyond the
    portfolio are proposed as comments: somebody may have left them out on purpose. What vanished
    is reported, never removed. What is new goes to the main file, what belongs to an entry to the
    file of the entry.

    Args:
        text: The portfolio as it is; None for none.
        found: What the vendors that answered have.
        name: What to call the file in errors.
        parts: Its further files.

    Raises:
        PortfolioError: The portfolio does not load as it is.
        DiscoveryError: It is laid out in a way that nothing can be added to.
    """
    if text is not None:
        parse_portfolio(text, name=name, parts=parts)
    try:
        work = _Work(text if text is not None else NEW_FILE, name=name, parts=parts)
        for vendor, inventory in found.items():
            work.compare(vendor, inventory)
        work.add_new()
        after = work.text.result()
    except TextError as error:
        raise DiscoveryError(f"{name}: {error}") from error
    changed = work.changed_parts()
    after_of = {one.name: one.after for one in changed}
    _prove(
        None if text is None else (YamlFile(name, text), *parts),
        (
            YamlFile(name, after),
            *(one._replace(text=after_of.get(one.name, one.text)) for one in parts),
        ),
    )
    return Proposal(
        before=text,
        after=after,
        parts=changed,
        sites=tuple(work.new_sites),
        types=tuple(work.new_types),
        devices=tuple(device_id(one.vendor, one.serial) for one, _ in work.new_devices),
        proposed=dict(work.proposed),
        vanished=tuple(work.vanished),
        remarks=tuple(work.remarks),
    )


def _prove(before: Sequence[YamlFile] | None, after: Sequence[YamlFile]) -> None:
    """Make sure that the new texts load and still say all that the old ones said.

    Raises:
        DiscoveryError: They do not.
    """
    (name, text), *parts = after
    trouble = f"{name}: could not be extended without changing what is there"
    try:
        parse_portfolio(text, name=name, parts=parts)
        new = parse_file(text, name=name, parts=parts)
    except PortfolioError as error:
        raise DiscoveryError(f"{trouble} ({error}); write it in plain block style") from error
    if before is None:
        return
    old = parse_file(before[0].text, name=name, parts=before[1:])
    for section in _EXPORTED:
        was, now = getattr(old, section), getattr(new, section)
        # What is added to the main file stands before the entries of its parts.
        kept = {key: now.get(key) for key in was} if isinstance(was, dict) else _kept(now, was)
        if kept != was:
            raise DiscoveryError(f"{trouble} ({section}); write it in plain block style")


def _kept(now: Sequence[object], was: Sequence[object]) -> tuple[object, ...]:
    """Return, in their order, the entries that were there before."""
    left = iter(was)
    following = next(left, None)
    kept = []
    for one in now:
        if following is not None and one == following:
            kept.append(one)
            following = next(left, None)
    return tuple(kept)


Shape = tuple[object, ...]


def _shape(points: Iterable[ProposedPoint]) -> Shape:
    """What makes two devices of one type: equal points."""
    return tuple(
        sorted(
            (one.key, one.name, one.quantity, one.unit or "", one.kind, one.role or "")
            for one in points
        )
    )


class _Work:
    """One comparison of a portfolio with inventories."""

    def __init__(self, text: str, *, name: str, parts: Sequence[YamlFile]) -> None:
        self.text = PortfolioText(text)
        self.file: PortfolioFile = parse_file(text, name=name, parts=parts)
        self._parts = parts
        self._merged_files = merge_files((YamlFile(name, text), *parts))
        self._editors: dict[int, PortfolioText] = {0: self.text}
        self.new_sites: dict[str, Lines] = {}
        self.new_types: dict[str, Lines] = {}
        self.new_devices: list[tuple[ProposedDevice, ProposedSite]] = []
        self.proposed: dict[str, int] = {}
        self.vanished: list[str] = []
        self.remarks: list[str] = []
        self._names: dict[tuple[str, str], str] = {}
        self._site_ids: dict[tuple[Vendor, str], str] = {}
        self._merged: dict[tuple[Vendor, str], str] = {}
        self._types: dict[tuple[Vendor, Shape], str] = {}
        self._placed: dict[tuple[Vendor, str], Counter[str]] = defaultdict(Counter)

    def changed_parts(self) -> tuple[PartChange, ...]:
        """Return the parts that have additions."""
        files = [
            (self._parts[number - 1], self._editors[number]) for number in self._editors if number
        ]
        changes = [PartChange(file.name, file.text, editor.result()) for file, editor in files]
        return tuple(one for one in changes if one.after != one.before)

    def _at(self, path: tuple[str | int, ...]) -> tuple[PortfolioText, tuple[str | int, ...]]:
        """Return the text in which an entry stands, and its place there.

        Raises:
            DiscoveryError: Nothing can be added to that text.
        """
        number, place = self._merged_files.owner(path)
        if number not in self._editors:
            part = self._parts[number - 1]
            try:
                self._editors[number] = PortfolioText(part.text)
            except TextError as error:
                raise DiscoveryError(f"{part.name}: {error}") from error
        return self._editors[number], place

    def compare(self, vendor: Vendor, found: VendorInventory) -> None:
        """Compare one vendor's inventory: what is known, new, vanished."""
        self.remarks += found.remarks
        own = {
            device.serial: (index, device)
            for index, device in enumerate(self.file.devices)
            if device.vendor == vendor
        }
        users: dict[str, list[str]] = defaultdict(list)
        for serial, (index, device) in own.items():
            here = found.devices.get(serial)
            if here is None:
                self.vanished.append(
                    f"{device_id(vendor, serial)} ({device.name}): no longer listed"
                )
                continue
            self._placed[vendor, here.site][device.site] += 1
            self._check_zone(device, found.sites[here.site])
            if device.type is not None:
                users[device.type].append(serial)
                self._types.setdefault((vendor, _shape(here.points)), device.type)
            self._check_points(index, device, here)
            self._offer_names(device, here)
        self._report_names(vendor)
        for type_name, serials in users.items():
            self._propose_for_type(type_name, [found.devices[serial] for serial in serials], own)
        for serial, new in found.devices.items():
            if serial in own:
                continue
            self.new_devices.append((new, found.sites[new.site]))

    def _offer_names(self, device: Device, here: ProposedDevice) -> None:
        """Note points that the portfolio calls by a general name where there is a telling one."""
        shared = self.file.device_types[device.type].points if device.type else ()
        said = {spec.key: spec.quantity for spec in (*shared, *device.points)}
        for point in here.points:
            if point.quantity in _TELLING.get(said.get(point.key, ""), ()):
                where = device.type or device_id(device.vendor, device.serial)
                self._names.setdefault((where, point.key), point.quantity)

    def _report_names(self, vendor: Vendor) -> None:
        """Say once per vendor which points have a name now."""
        if not self._names:
            return
        offered = [f"{where} {key}: {name}" for (where, key), name in self._names.items()]
        shown = ", ".join(offered[:_SHOWN_NAMES])
        more = f" and {len(offered) - _SHOWN_NAMES} more" if len(offered) > _SHOWN_NAMES else ""
        self.remarks.append(
            f"{vendor}: {len(offered)} points have a telling quantity now ({shown}{more}); "
            "write it into their `quantity`, the figures of their devices are made of it"
        )
        self._names.clear()

    def _check_zone(self, device: Device, site: ProposedSite) -> None:
        here = next(one for one in self.file.sites if one.id == device.site)
        sentence = (
            f"site {here.id} is in {here.timezone}, but {device.vendor} says {site.timezone} "
            f"for {site.name}"
        )
        if not site.confirm and here.timezone != site.timezone and sentence not in self.remarks:
            self.remarks.append(sentence)

    def _keys_of(self, device: Device) -> set[str]:
        shared = self.file.device_types[device.type].points if device.type else ()
        return {spec.key for spec in (*shared, *device.points)}

    def _check_points(self, index: int, device: Device, here: ProposedDevice) -> None:
        """Report what vanished, and propose what is new to a device without a type."""
        if not here.keys_known:
            return
        listed = {one.key for one in here.points}
        for key in sorted(self._keys_of(device) - listed):
            reason = here.left_out.get(key, "no longer listed")
            self.vanished.append(f"{point_id(device.vendor, device.serial, key)}: {reason}")
        if device.type is not None:
            return
        missing = [one for one in here.points if one.key not in self._keys_of(device)]
        where = device_id(device.vendor, device.serial)
        if missing and not device.points:
            self.remarks.append(
                f"{where} has {len(missing)} points at the vendor and none in the portfolio; "
                "remove its entry and run discover again to have them written"
            )
            return
        self._propose(where, ("devices", index, "points"), missing)

    def _propose_for_type(
        self,
        type_name: str,
        devices: Sequence[ProposedDevice],
        own: Mapping[str, tuple[int, Device]],
    ) -> None:
        missing: dict[str, ProposedPoint] = {}
        for here in devices:
            known = self._keys_of(own[here.serial][1])
            missing.update({one.key: one for one in here.points if one.key not in known})
        where = f"device type {type_name}"
        self._propose(where, ("device_types", type_name, "points"), list(missing.values()))

    def _propose(
        self, where: str, path: tuple[str | int, ...], missing: Sequence[ProposedPoint]
    ) -> None:
        text, place = self._at(path)
        seen = {str(yaml.safe_load(one)) for one in _COMMENTED_KEY.findall(text.comments_of(place))}
        fresh = [one for one in missing if one.key not in seen]
        if not fresh:
            return
        if text.add_points(place, proposed_points(fresh)):
            self.proposed[where] = self.proposed.get(where, 0) + len(fresh)
        else:
            keys = ", ".join(one.key for one in fresh)
            self.remarks.append(f"{where}: new at the vendor and not in the portfolio: {keys}")

    def _has(self, section: str) -> bool:
        return self.text.has(section) or section in self._merged_files.content

    def add_new(self) -> None:
        """Write the entries of new devices, their sites and types."""
        self._place_new()
        at_sites = [
            (device, *self._site_of(device.vendor, site)) for device, site in self.new_devices
        ]
        placed = [
            (device, site_id, remark)
            for (_, site_id, remark), device in zip(
                at_sites, once_per_site(at_sites, self.file), strict=True
            )
        ]
        shapes: dict[tuple[Vendor, Shape], list[ProposedDevice]] = defaultdict(list)
        for device, _, _ in placed:
            shapes[device.vendor, _shape(device.points)].append(device)
        for (vendor, shape), members in shapes.items():
            if shape and (vendor, shape) not in self._types:
                self._types[vendor, shape] = self._type_of(members[0])
        lines: Lines = []
        for device, site_id, remark in placed:
            type_name = self._types.get((device.vendor, _shape(device.points)))
            lines += device_entry(device, site_id=site_id, site_remark=remark, type_name=type_name)
        self.text.add("sites", [line for entry in self.new_sites.values() for line in entry])
        self.text.add("device_types", [line for entry in self.new_types.values() for line in entry])
        self.text.add("devices", lines)
        if placed:
            comments = proposed_behind(
                [(device, site_id) for device, site_id, _ in placed],
                has=self._has,
                streams=[one.id for one in self.file.streams],
            )
            self.text.remark("devices", comments)

    def _place_new(self) -> None:
        """Find the sites of new devices that are places known under another vendor's name."""
        places = [
            Place(site_id=site.id, name=site.name, timezone=_told_zone(site))
            for site in self.file.sites
        ]
        for vendor in dict.fromkeys(device.vendor for device, _ in self.new_devices):
            sites = {
                site.key: site
                for device, site in self.new_devices
                if device.vendor == vendor and not self._placed.get((vendor, site.key))
            }
            # A vendor keeps its own sites apart.
            own = {
                site_id
                for (name, _), counted in self._placed.items()
                if name == vendor
                for site_id in counted
            }
            found, remarks = matches(
                list(sites.values()), [one for one in places if one.site_id not in own]
            )
            self.remarks += [f"{vendor}: {remark}" for remark in remarks]
            for key, site in sites.items():
                if key in found:
                    self._site_ids[vendor, key] = found[key].site_id
                    if site.name != self._name_of(found[key].site_id):
                        shared = ", ".join(sorted(found[key].shared))
                        self._merged[vendor, key] = (
                            f"{TO_CONFIRM}: {vendor} calls it {site.name}; taken for the same "
                            f"place by {shared}"
                        )
                    continue
                site_id = self._new_site(vendor, site)
                self._site_ids[vendor, key] = site_id
                places.append(
                    Place(
                        site_id=site_id,
                        name=site.name,
                        timezone=None if site.is_placeholder else site.timezone,
                        city=site.city,
                    )
                )

    def _name_of(self, site_id: str) -> str | None:
        return next((one.name for one in self.file.sites if one.id == site_id), None)

    def _type_of(self, device: ProposedDevice) -> str:
        """Return a type with just these keys, or make one."""
        keys = {one.key for one in device.points}
        for name, known in self.file.device_types.items():
            same_vendor = {one.vendor for one in self.file.devices if one.type == name}
            if {spec.key for spec in known.points} == keys and same_vendor <= {device.vendor}:
                return name
        base = slug(device.model, joint="_") or f"{device.vendor}_device"
        name = free_name(base, {*self.file.device_types, *self.new_types}, joint="_")
        self.new_types[name] = type_entry(name, device.points)
        return name

    def _site_of(self, vendor: Vendor, site: ProposedSite) -> tuple[str, str]:
        """Return a site's id, and a remark for the device when it was placed with neighbours."""
        neighbours = self._placed.get((vendor, site.key))
        if neighbours:
            if len(neighbours) == 1:
                return next(iter(neighbours)), ""
            return neighbours.most_common(1)[0][0], (
                f"{TO_CONFIRM}: devices of {site.name} are on {len(neighbours)} sites"
            )
        return self._site_ids[vendor, site.key], self._merged.get((vendor, site.key), "")

    def _new_site(self, vendor: Vendor, site: ProposedSite) -> str:
        base = slug(site.name) or f"{vendor}-site"
        same = next((one for one in self.file.sites if one.id == base), None)
        if same is not None and same.name == site.name:
            return base
        site_id = free_name(
            base, {*(one.id for one in self.file.sites), *self.new_sites}, joint="-"
        )
        self.new_sites[site_id] = site_entry(site, site_id=site_id)
        return site_id


def _told_zone(site: Site) -> str | None:
    """Return a site's zone, None where UTC stands for one that nobody knows."""
    return None if site.confidence == "low" and site.timezone == UNKNOWN_ZONE else site.timezone
