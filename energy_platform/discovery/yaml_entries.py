"""Portfolio entries as text lines, with the comments that say what a guess rests on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import yaml

from energy_platform.discovery.vendor_inventory import TO_CONFIRM
from energy_platform.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from energy_platform.discovery.vendor_inventory import (
        ProposedDevice,
        ProposedPoint,
        ProposedSite,
    )

Lines = list[str]

_LOOKS_LIKE_A_NUMBER: Final = re.compile(r"[-+.\d][\d_.:eExXoO+-]*")
_NEEDS_POWER: Final = (
    f"{TO_CONFIRM}: rated power in W, the limit of a plausible step; none: it is learned"
)


def scalar(value: str | float) -> str:
    """Return a value as YAML on one line, quoted where any YAML version would misread it."""
    if isinstance(value, float):
        return f"{value:g}"
    if _LOOKS_LIKE_A_NUMBER.fullmatch(value):
        return f'"{value}"'
    text = yaml.safe_dump(
        value,
        default_flow_style=True,
        # Line breaks of any alphabet are escaped; folded, some of them come back as a space.
        default_style=None if value.isprintable() else '"',
        allow_unicode=True,
        width=float("inf"),
    ).removesuffix("...\n")
    return text.rstrip("\n")


def _quoted(text: str) -> str:
    """Return a text in quotes: YAML would read ``on`` as something else."""
    return yaml.safe_dump(text, default_style='"', width=float("inf")).rstrip("\n")


def entry(pairs: Iterable[tuple[str, str | float | None, str]]) -> Lines:
    """Return a mapping's lines; a value of None is left out.

    Args:
        pairs: Key, value, comment (empty for none).
    """
    return [
        f"{key}: {scalar(value)}" + (f"  # {clean_comment(comment)}" if comment else "")
        for key, value, comment in pairs
        if value is not None
    ]


def clean_comment(text: str) -> str:
    """Return a comment on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def item(lines: Sequence[str]) -> Lines:
    """Return a mapping's lines as an item of a list."""
    return [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]


def indented(lines: Iterable[str], *, by: int) -> Lines:
    """Return lines moved to the right."""
    return [" " * by + line if line else line for line in lines]


def site_entry(site: ProposedSite, *, site_id: str) -> Lines:
    """Return the lines of a site."""
    confirm = f"{TO_CONFIRM}: {site.confirm}" if site.confirm else ""
    return item(
        entry(
            [
                ("id", site_id, ""),
                ("name", site.name, ""),
                ("timezone", site.timezone, confirm),
                ("country", site.country, ""),
                ("confidence", _zone_confidence(site), site.confirm and "of the zone"),
            ]
        )
    )


def _zone_confidence(site: ProposedSite) -> str | None:
    if not site.confirm:
        return None
    return "low" if site.is_placeholder else "medium"


def point_entry(guess: ProposedPoint) -> Lines:
    """Return the lines of a point; a guess that needs a look says so behind its quantity."""
    confirm = f"{TO_CONFIRM}: {guess.confirm}" if guess.confirm else ""
    counts = guess.role is not None and guess.kind != "increment"
    lines = entry(
        [
            ("key", guess.key, ""),
            ("name", guess.name, ""),
            ("quantity", guess.quantity, confirm),
            ("unit", guess.unit, ""),
            ("kind", guess.kind, ""),
            ("phase", guess.phase if guess.phase != "total" else None, ""),
            ("carrier", guess.carrier, ""),
            (
                "role",
                guess.role,
                f"{TO_CONFIRM}: main, sub, generation, storage or none" if counts else "",
            ),
        ]
    )
    if guess.states:
        lines.append("states:")
        lines += [f"  {_quoted(text)}: {number:g}" for text, number in guess.states]
    lines += entry(
        [
            ("every", format_duration(guess.every) if guess.every else None, ""),
            ("width", format_duration(guess.width) if guess.width else None, ""),
            ("stamp", guess.stamp, ""),
            ("max_power_w", "none" if guess.needs_power else None, _NEEDS_POWER),
            ("confidence", guess.confidence, guess.why),
        ]
    )
    return item(lines)


def type_entry(name: str, points: Sequence[ProposedPoint]) -> Lines:
    """Return the lines of a device type."""
    lines = [f"{scalar(name)}:", "  points:"]
    for guess in points:
        lines += indented(point_entry(guess), by=4)
    return lines


def device_entry(
    device: ProposedDevice, *, site_id: str, site_remark: str, type_name: str | None
) -> Lines:
    """Return the lines of a device, with what an operator should know of it before them."""
    role_confirm = f"{TO_CONFIRM}: {device.role_confirm}" if device.role_confirm else ""
    shown_role = device.role if device.role != "none" or device.role_confirm else None
    remarks = [f"# {clean_comment(remark)}" for remark in device.remarks]
    return remarks + item(
        entry(
            [
                ("vendor", device.vendor, ""),
                ("serial", device.serial, ""),
                ("site", site_id, site_remark),
                ("name", device.name, ""),
                ("type", type_name, ""),
                ("carrier", device.carrier, ""),
                ("role", shown_role, role_confirm),
                ("confidence", _place_confidence(device, site_remark), "of its site and role"),
                ("max_power_w", "none" if device.needs_power else None, _NEEDS_POWER),
            ]
        )
    )


def _place_confidence(device: ProposedDevice, site_remark: str) -> str | None:
    if device.role_confirm:
        return "low" if device.role == "none" else "medium"
    return "medium" if site_remark else None


def commented(lines: Iterable[str]) -> Lines:
    """Return lines as comments, to come alive when their marks are removed."""
    return [f"# {line}" for line in lines]


def proposed_points(guesses: Sequence[ProposedPoint]) -> Lines:
    """Return points as comments, to be taken into use by removing the marks."""
    lines = ["# New at the vendor: remove the marks to use them, keep them to leave them out."]
    for guess in guesses:
        lines += [f"# {line}" for line in point_entry(guess)]
    return lines
