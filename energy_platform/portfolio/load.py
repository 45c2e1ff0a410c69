"""From text to a cross-checked portfolio; every error names file and line.

Checks across entries belong here, those of a single entry to ``model``, of a single value to
``values``; how a problem is worded, to ``messages``; which files there are, to ``files``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import ValidationError

from energy_platform.destinations.base import destination
from energy_platform.identity import device_id
from energy_platform.identity import point_id as id_of_point
from energy_platform.portfolio.messages import messages_of, unfit_unit
from energy_platform.portfolio.model import (
    ENDS_BEFORE,
    Correction,
    Device,
    PointSpec,
    PortfolioFile,
    Stream,
)
from energy_platform.portfolio.parts import MergedFiles, PartsError, YamlFile
from energy_platform.portfolio.resolved import Accepted, Part, Point, Portfolio, weakest
from energy_platform.portfolio.text import read_yaml
from energy_platform.portfolio.tree import LINKS, DeviceLink, Link, of_device, with_links
from energy_platform.portfolio.values import on_the_clock
from energy_platform.portfolio.virtual import misplaced, resolve_virtual
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.quantities import (
    COUNTED_OTHERWISE,
    ENERGY_QUANTITIES,
    REGISTER_QUANTITIES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from energy_platform.destinations.base import FieldSpec
    from energy_platform.portfolio.messages import Place, Problem
    from energy_platform.schemas import Kind

NET_REGISTER: Final[Mapping[str, Any]] = {"on_fall": "signed", "glitch": "keep", "dip_ratio": None}
"""How a register that runs both ways is read: a fall, and a zero, are readings like any other.

A limit is not asked for, nor taken from the device: beyond it a rise would be worth nothing, while
falls have no limit, so one bad reading and the way back from it would no longer cancel out.
"""


class PortfolioError(ValueError):
    """The portfolio cannot be used; one line per problem with file and line."""


def parse_portfolio(
    text: str, *, name: str = "portfolio.yaml", parts: Sequence[YamlFile] = ()
) -> Portfolio:
    """Check a portfolio's text.

    Args:
        text: YAML of its main file.
        name: What to call that file in errors.
        parts: Its further files.

    Raises:
        PortfolioError: One line per problem, each with ``name:line``.
    """
    file, merged = _parse((YamlFile(name, text), *parts))
    problems = list(_cross_check(file, where=merged.where))
    if not problems:
        portfolio, problems = _resolve(file)
        problems += list(_check_streams(file, portfolio))
        if not problems:
            return portfolio
    raise PortfolioError(
        "\n".join(f"{merged.where(place)}: {message}" for place, message in problems)
    )


def parse_file(
    text: str, *, name: str = "portfolio.yaml", parts: Sequence[YamlFile] = ()
) -> PortfolioFile:
    """Return the entries of a portfolio's text as they are written, without cross-checks.

    Args:
        text: YAML of its main file.
        name: What to call that file in errors.
        parts: Its further files.

    Raises:
        PortfolioError: One line per problem, each with ``name:line``.
    """
    return _parse((YamlFile(name, text), *parts))[0]


def merge_files(files: Sequence[YamlFile]) -> MergedFiles:
    """Return what some files say together, unchecked.

    Args:
        files: The main file, then its parts.

    Raises:
        PortfolioError: A file is not YAML, or two say the same thing.
    """
    contents = [_content_of(one, is_main=not number) for number, one in enumerate(files)]
    try:
        return MergedFiles(files, contents)
    except PartsError as error:
        raise PortfolioError(str(error)) from error


def _parse(files: Sequence[YamlFile]) -> tuple[PortfolioFile, MergedFiles]:
    merged = merge_files(files)
    try:
        return PortfolioFile.model_validate(merged.content), merged
    except ValidationError as error:
        raise PortfolioError(
            "\n".join(
                f"{merged.where(place)}: {message}"
                for place, message in messages_of(error.errors())
            )
        ) from error


def _content_of(file: YamlFile, *, is_main: bool) -> dict[Any, Any]:
    """Return what a file says; a part with nothing in it says nothing."""
    name, text = file
    try:
        document = read_yaml(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PortfolioError(f"{name}:{line}: not valid YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise PortfolioError(
            f"{name}:{line}: not valid YAML: the character U+{error.character:04X} may not stand "
            "in a text file"
        ) from error
    if document.repeated:
        raise PortfolioError(
            "\n".join(
                f"{name}:{key.start_mark.line + 1}: {key.value!r} is there twice; "
                "only the last one would count"
                for key in document.repeated
            )
        )
    if document.content is None and not is_main:
        return {}
    if not isinstance(document.content, dict):
        raise PortfolioError(f"{name}:1: expected a mapping with version, sites and devices")
    return document.content


def _repeated(
    values: Sequence[str], *, section: str, what: str, where: Callable[[Place], str]
) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        if value in seen:
            first = where((section, seen[value]))
            yield (section, index), f"{what} {value!r} is there twice, first in {first}"
        seen.setdefault(value, index)


def _cross_check(file: PortfolioFile, *, where: Callable[[Place], str]) -> Iterator[Problem]:
    sites = {site.id for site in file.sites}
    names = {
        "site": [site.id for site in file.sites],
        "device": [device_id(device.vendor, device.serial) for device in file.devices],
        "stream": [stream.id for stream in file.streams],
    }
    for what, values in names.items():
        yield from _repeated(values, section=f"{what}s", what=what, where=where)
    for index, device in enumerate(file.devices):
        if device.site not in sites:
            yield ("devices", index, "site"), f"unknown site {device.site!r}"
        if device.type is not None and device.type not in file.device_types:
            yield ("devices", index, "type"), f"unknown device type {device.type!r}"
    yield from _check_units(file)
    for index, stream in enumerate(file.streams):
        if stream.site not in sites:
            yield ("streams", index, "site"), f"unknown site {stream.site!r}"


def _check_units(file: PortfolioFile) -> Iterator[Problem]:
    for name, shared in file.device_types.items():
        for index, spec in enumerate(shared.points):
            if problem := unfit_unit(spec.unit, quantity=spec.quantity):
                yield ("device_types", name, "points", index, "unit"), problem
    for number, device in enumerate(file.devices):
        for index, spec in enumerate(device.points):
            if problem := unfit_unit(spec.unit, quantity=spec.quantity):
                yield ("devices", number, "points", index, "unit"), problem


def _resolve(file: PortfolioFile) -> tuple[Portfolio, list[Problem]]:
    points: dict[str, Point] = {}
    places: dict[str, Place] = {}
    virtual_places: dict[str, Place] = {}
    problems: list[Problem] = []
    zones = {site.id: site.timezone for site in file.sites}
    sites = {site.id: site for site in file.sites}
    for index, device in enumerate(file.devices):
        shared = file.device_types[device.type].points if device.type else ()
        own = {spec.key for spec in device.points}
        placed = [
            (("device_types", str(device.type), "points", n), spec)
            for n, spec in enumerate(shared)
            if spec.key not in own
        ] + [(("devices", index, "points", n), spec) for n, spec in enumerate(device.points)]
        for place, spec in placed:
            point_id = id_of_point(device.vendor, device.serial, spec.key)
            if point_id in points:
                problems.append((place, f"point {point_id} is there twice"))
                continue
            problem = (
                misplaced(spec, device, is_shared=place[0] == "device_types")
                or _missing_limit(spec, device)
                or _unclear_period(spec, device)
            )
            if problem is not None:
                problems.append((place, problem))
                continue
            point = _point(spec, device, point_id=point_id, timezone=zones[device.site])
            confidence = weakest(sites[device.site].confidence, device.confidence, spec.confidence)
            points[point_id] = replace(point, confidence=confidence)
            places[point_id] = place
            if point.is_virtual:
                virtual_places[point_id] = place
    virtual, unfit_virtual = resolve_virtual(points, places=virtual_places)
    points |= virtual
    problems += unfit_virtual
    points, unlinked = _linked(file, points=points, places=places)
    problems += unlinked
    corrections: list[Correction] = []
    for index, correction in enumerate(file.corrections):
        problems += [
            (("corrections", index, "points"), f"unknown point {point_id!r}")
            for point_id in correction.points
            if point_id not in points
        ]
        problems += [
            (("corrections", index, "points"), f"{point_id} is virtual: correct its parts")
            for point_id in correction.points
            if point_id in points and points[point_id].is_virtual
        ]
        for part in _on_the_clocks(correction, points=points, zones=zones):
            if part.start is not None and part.end is not None and part.end <= part.start:
                problems.append((("corrections", index, "to"), ENDS_BEFORE))
            corrections.append(part)
    accepted, unfit = _accepted(file, points=points, zones=zones)
    problems += unfit
    portfolio = Portfolio(
        sites=sites,
        devices={device_id(device.vendor, device.serial): device for device in file.devices},
        points=points,
        corrections=tuple(corrections),
        accepted=tuple(accepted),
        streams={stream.id: stream.on_the_clock(zones[stream.site]) for stream in file.streams},
    )
    return portfolio, problems


def _linked(
    file: PortfolioFile, *, points: dict[str, Point], places: Mapping[str, Place]
) -> tuple[dict[str, Point], list[Problem]]:
    """Return the points with their places in the trees of their sites; see ``tree``."""
    links: list[Link] = []
    problems: list[Problem] = []
    for index, device in enumerate(file.devices):
        shared = file.device_types[device.type].points if device.type else ()
        specs = {spec.key: spec for spec in (*shared, *device.points)}
        ids = {key: id_of_point(device.vendor, device.serial, key) for key in specs}
        known = {key: spec for key, spec in specs.items() if ids[key] in points}
        for name in LINKS:
            said = {key: target for key, spec in known.items() if (target := getattr(spec, name))}
            links += [
                Link((*places[ids[key]], name), name, ids[key], target)
                for key, target in said.items()
            ]
            if (target := getattr(device, name)) is None:
                continue
            found = of_device(
                DeviceLink(
                    ("devices", index, name), name, device_id(device.vendor, device.serial), target
                ),
                points,
                own=tuple(ids[key] for key in known if key not in said),
            )
            if isinstance(found, Link):
                links.append(found)
            else:
                problems.append(found)
    # With one point unknown, what else is wrong with the links may follow from it.
    if problems or not links:
        return points, problems
    return with_links(points, links)


def _accepted(
    file: PortfolioFile, *, points: Mapping[str, Point], zones: Mapping[str, str]
) -> tuple[list[Accepted], list[Problem]]:
    """Return the spans of each point in UTC; without an offset they are on its site's clock."""
    found: list[Accepted] = []
    problems: list[Problem] = []
    for index, entry in enumerate(file.accept):
        place = ("accept", index)
        for point_id in entry.points:
            point = points.get(point_id)
            if point is None:
                problems.append(((*place, "points"), f"unknown point {point_id!r}"))
                continue
            if point.kind != "register" or not point.is_energy or point.is_virtual:
                why = f"{point_id} is not an energy register: nothing of it is ever refused"
                problems.append(((*place, "points"), why))
                continue
            zone = zones[point.site_id]
            start, end = (on_the_clock(at, timezone=zone) for at in (entry.start, entry.end))
            if end <= start:
                problems.append(((*place, "to"), ENDS_BEFORE))
                break
            found.append(Accepted(point_id=point_id, start=start, end=end, reason=entry.reason))
    return found, problems


def _on_the_clocks(
    correction: Correction, *, points: Mapping[str, Point], zones: Mapping[str, str]
) -> Iterator[Correction]:
    """Yield a correction once per clock that its dates are read on, each for its own points."""
    by_zone: dict[str, list[str]] = {}
    for point_id in correction.points:
        if point_id in points:
            by_zone.setdefault(zones[points[point_id].site_id], []).append(point_id)
    for timezone, members in by_zone.items():
        yield correction.on_the_clock(timezone).model_copy(update={"points": tuple(members)})


def _kind(spec: PointSpec) -> Kind:
    if spec.kind is not None:
        return spec.kind
    if spec.quantity in REGISTER_QUANTITIES:
        return "register"
    return "state" if spec.quantity == "state" else "gauge"


def _is_net(spec: PointSpec) -> bool:
    return _kind(spec) == "register" and spec.quantity == "active_energy_net"


def takes_limit_of_device(spec: PointSpec) -> bool:
    """Say whether the rated power of its device bounds a point that states none itself.

    Args:
        spec: The point's entry.
    """
    return not _is_net(spec) and spec.quantity not in COUNTED_OTHERWISE


def _missing_limit(spec: PointSpec, device: Device) -> str | None:
    is_register = _kind(spec) == "register" and spec.quantity in ENERGY_QUANTITIES
    if _is_net(spec) or spec.of:
        return None
    if is_register and spec.max_power_w is None and device.max_power_w is None:
        return (
            f"register {spec.key!r} of {device.vendor}/{device.serial} needs max_power_w: the "
            "rated power in W that bounds a plausible step, or an explicit none"
        )
    return None


def _unclear_period(spec: PointSpec, device: Device) -> str | None:
    if _kind(spec) != "increment":
        if spec.stamp is not None or spec.width is not None:
            return f"stamp and width are of increments, {spec.key!r} is a {_kind(spec)}"
        return None
    if spec.stamp == "start" and (spec.width or spec.every or device.every) is None:
        return (
            f"increment {spec.key!r} of {device.vendor}/{device.serial} is stamped at its start; "
            "width says how long its period is, such as 15m"
        )
    return None


def _point(spec: PointSpec, device: Device, *, point_id: str, timezone: str) -> Point:
    ends = [one for one in (spec.until, device.until) if one is not None]
    settings = spec.on_the_clock(timezone).settings()
    if _is_net(spec):
        settings = {**NET_REGISTER, **settings}
    elif (
        "max_power_w" not in settings
        and isinstance(device.max_power_w, float)
        and takes_limit_of_device(spec)
    ):
        settings["max_power_w"] = device.max_power_w
    return Point(
        point_id=point_id,
        vendor=device.vendor,
        serial=device.serial,
        key=spec.key,
        site_id=device.site,
        device_name=device.name,
        name=spec.name,
        quantity=spec.quantity,
        unit=spec.unit,
        kind=_kind(spec),
        phase=spec.phase,
        carrier=spec.carrier or device.carrier,
        role=spec.role or device.role,
        sign=spec.sign,
        states=tuple(sorted(spec.states.items())),
        every=spec.every or device.every,
        stamped_at=spec.stamp or "end",
        width=spec.width,
        maximum=spec.maximum,
        rated_capacity_wh=spec.rated_capacity_wh,
        energy_from_power=spec.energy_from_power,
        until=min((on_the_clock(one, timezone=timezone) for one in ends), default=None),
        is_read=device.read,
        accuracy_percent=spec.accuracy_percent or device.accuracy_percent,
        policy=CounterPolicy(**settings),
        of=tuple(Part(part.point, part.factor) for part in spec.of if part.point is not None),
        constant_w=math.fsum(part.constant for part in spec.of if part.constant is not None),
    )


def _check_streams(file: PortfolioFile, portfolio: Portfolio) -> Iterator[Problem]:
    for index, stream in enumerate(file.streams):
        for field in destination(stream.destination).fields(stream):
            point_id = stream.fields[field.name]
            place = ("streams", index, "fields", field.name)
            point = portfolio.points.get(point_id)
            if point is None:
                yield place, f"unknown point {point_id!r}"
            elif problem := _unfit(stream, field=field, point=point):
                yield place, problem
            elif field.content == "by_reading" and (
                problem := unfit_unit(field.unit, quantity=point.quantity)
            ):
                yield ("streams", index, "unit"), problem


def _unfit(stream: Stream, *, field: FieldSpec, point: Point) -> str | None:
    """Say why a point cannot feed a field, or None when it can."""
    is_gauge = field.content == "gauge"
    wants_energy = field.content == "register" or stream.reading in {"cumulative", "per_interval"}
    if wants_energy and not is_gauge and not point.is_energy:
        return (
            f"{field.name} of a {stream.reading} stream needs an energy, {point.point_id} is "
            f"{point.quantity}"
        )
    if (is_gauge or stream.reading == "average") and point.kind not in {"gauge", "state"}:
        return f"{field.name} needs a gauge, {point.point_id} is a {point.kind}"
    return None
