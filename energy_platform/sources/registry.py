"""The sources there are: the built-in ones, and those that other packages register.

Belongs here: which sources there are, what is asked of each before it is one, and what they come to
together. Does not belong here: what a source is (``base``), or anything that one of them does.

Another package registers a source of its own by an entry point::

    [project.entry-points."energy_platform.sources"]
    acme = "acme_energy:SOURCE"

A source that lacks a part, or that has a name or a table of another one, is refused here, when the
sources are read: whatever is started says so at once, and nothing runs with half a source.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from energy_platform.destinations import destination_names
from energy_platform.schemas import DERIVED_TABLES, INSTANT, RAW_VALUE, VIRTUAL, Table
from energy_platform.settings import SettingsError, SourceSettings
from energy_platform.sources import BUILT_IN, GROUP, other_sources
from energy_platform.sources.base import Poll, SourceContext, SourceSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.sources.base import OpenSource, PollReport
    from energy_platform.sources.http.logins import RefusedLogins

TAKEN: Final = frozenset(
    {"all", "alert", "core", "energy", "lake", "ledger", "platform", "warehouse"}
    | set(destination_names())
)
"""Names that would be read as something else: a word of commands, the prefix of variables, or
another one of Dagster's resources, where a source's is named like the source."""

SAMPLE_COLUMNS: Final = {"at": INSTANT, **{one.name: one.dtype for one in RAW_VALUE}}
"""What every source's day table has."""

READING_COLUMNS: Final = {
    "point_id": pl.String(),
    "at": INSTANT,
    "value": pl.Float64(),
    "text": pl.String(),
    "unit": pl.String(),
}
"""What every source's readings have; see ``SourceSpec.readings``."""

_SECRET: Final = re.compile(r"(secret|password|token|key)$")
"""How settings end that nothing may show."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class SourceError(SettingsError):
    """A source cannot be registered, or is not known; the message names the source and the part."""


@cache
def sources() -> Mapping[str, SourceSpec[Any]]:
    """Return every registered source by name: the built-in ones, then others by their names.

    Raises:
        SourceError: One lacks a part, or has what another one has.

    >>> sources()["files"].title
    'Dropped files'
    """
    return registered([*_built_in(), *_of_other_packages()])


def get_source(name: str) -> SourceSpec[Any]:
    """Return a source by name.

    Raises:
        SourceError: There is none; the message names those that there are.

    >>> get_source("files").day_table.name
    'raw_files__samples'
    >>> get_source("acme")
    Traceback (most recent call last):
    energy_platform.sources.registry.SourceError: unknown source 'acme'; one of ..., files
    """
    found = sources().get(name)
    if found is None:
        raise SourceError(f"unknown source {name!r}; one of {', '.join(sources())}")
    return found


def registered(
    offered: Iterable[tuple[str, SourceSpec[Any]]],
) -> Mapping[str, SourceSpec[Any]]:
    """Return sources by name once each is complete and none has what another one has.

    Args:
        offered: Each source, behind what registers it: its package or entry point.

    Raises:
        SourceError: Names the source, the part, and what is expected.
    """
    found: dict[str, SourceSpec[Any]] = {}
    tables = {table.name: "the platform" for table in DERIVED_TABLES}
    for origin, spec in offered:
        for problem in faults(spec):
            raise SourceError(f"source {_name(spec)!r} ({origin}): {problem}")
        if spec.name == VIRTUAL:
            raise SourceError(
                f"source {spec.name!r} ({origin}): the name stands for points that are computed "
                "from others; give the source another one"
            )
        if spec.name in found:
            raise SourceError(
                f"source {spec.name!r} ({origin}): another source has this name; "
                "rename it, or remove one of the two packages"
            )
        for table in spec.tables:
            if table.name in tables:
                raise SourceError(
                    f"source {spec.name!r} ({origin}): table {table.name} is already one of "
                    f"{tables[table.name]}"
                )
            tables[table.name] = spec.name
        found[spec.name] = spec
    return MappingProxyType(found)


def faults(spec: object) -> Iterator[str]:
    """Yield what a source lacks to be one, a sentence for each part.

    Args:
        spec: What a package offers as its source.
    """
    if not isinstance(spec, SourceSpec):
        yield f"expected a SourceSpec, came {type(spec).__name__}"
        return
    if not isinstance(spec.name, str) or not _NAME.fullmatch(spec.name) or spec.name in TAKEN:
        yield (
            "name: expected lower-case letters and digits in words joined by _, and none of "
            + ", ".join(sorted(TAKEN))
        )
        return
    if not spec.title:
        yield "title: expected the name shown to users"
    yield from _settings_faults(spec)
    yield from _table_faults(spec)
    for part in ("open", "readings", "discover", "addresses", "checks", "keep"):
        if not callable(getattr(spec, part)):
            yield f"{part}: expected a function"
            return
    yield from _reading_faults(spec)
    yield from _arrival_faults(spec)


def _arrival_faults(spec: SourceSpec[Any]) -> Iterator[str]:
    """Yield what is wrong with how a source is polled and what it says of its arrivals."""
    arrivals: object = spec.arrivals
    if arrivals is not None and not callable(arrivals):
        yield "arrivals: expected a function, or None"
    poll: object = spec.poll
    if poll is None:
        return
    if not isinstance(poll, Poll):
        yield "poll: expected a Poll, or None"
        return
    for part in ("run", "polled_at", "days", "archive"):
        if not callable(getattr(poll, part)):
            yield f"poll.{part}: expected a function"


def _settings_faults(spec: SourceSpec[Any]) -> Iterator[str]:
    section: object = spec.settings
    if not isinstance(section, type) or not issubclass(section, SourceSettings):
        yield "settings: expected a class derived from SourceSettings"
        return
    prefix = f"{spec.name}_".upper()
    if section.model_config.get("env_prefix") != prefix:
        yield f"settings: expected env_prefix {prefix!r}, so that their variables name the source"
    for variable in spec.simulated_settings:
        if not variable.startswith(prefix):
            yield f"simulated_settings: {variable} does not begin with {prefix}"
    if not section.__pydantic_complete__:
        yield "settings: import the types of their fields at run time, not for checkers only"
        return
    yield from _login_faults(spec)


def _login_faults(spec: SourceSpec[Any]) -> Iterator[str]:
    fields = spec.settings.model_fields
    if not spec.login:
        yield "login: expected at least one setting without which nothing can be read"
    for field in spec.enabled_by:
        if field not in spec.login:
            yield f"enabled_by: {field} is none of the login settings"
    for field in spec.login:
        if field not in fields:
            yield f"login: the settings have no {field}"
        elif fields[field].default is not None:
            yield f"login: {field} has a default, so that it says nothing; expected None"
        elif _SECRET.search(field) and field not in spec.secrets:
            yield f"settings: {field} is a secret by its name; expected SecretStr, which none shows"


def _table_faults(spec: SourceSpec[Any]) -> Iterator[str]:
    day_table: object = spec.day_table
    if not isinstance(day_table, Table):
        yield "day_table: expected a Table"
        return
    yield from _day_table_faults(spec)
    if not spec.inventory_tables:
        yield "inventory_tables: expected at least one, of the devices"
    for table in spec.inventory_tables:
        if table.partitioned:
            yield f"inventory_tables: {table.name} is partitioned; an inventory is a snapshot"
    for part in ("not_for_days", "mart_tables", "drifting_tables"):
        for table in getattr(spec, part):
            if table not in spec.inventory_tables:
                yield f"{part}: {table.name} is none of the inventory tables"
    for table in spec.tables:
        if not table.name.startswith(f"raw_{spec.name}__"):
            yield f"table {table.name}: expected a name that begins with raw_{spec.name}__"


def _day_table_faults(spec: SourceSpec[Any]) -> Iterator[str]:
    columns = {column.name: column.dtype for column in spec.day_table.columns}
    if not spec.day_table.partitioned or spec.day_table.sort_key[-1:] != ("at",):
        yield "day_table: expected a partitioned table whose key ends with at"
    for name, dtype in SAMPLE_COLUMNS.items():
        if columns.get(name) != dtype:
            yield f"day_table: expected a column {name} of {dtype}, came {columns.get(name)}"
    for name in spec.day_table.sort_key:
        if name not in columns:
            yield f"day_table: its key has {name}, its columns do not"
    for part in ("device_column", "own_id_column"):
        name = getattr(spec, part)
        if name is not None and name not in columns:
            yield f"{part}: the day table has no {name}"


def _reading_faults(spec: SourceSpec[Any]) -> Iterator[str]:
    """Try the readings on a day without rows: what they lack would fail every day."""
    try:
        schema = spec.readings(spec.day_table.empty()).schema
    except Exception as error:  # noqa: BLE001 - anything a stranger's function may raise
        yield f"readings: a day without rows gives {type(error).__name__}: {error}"
        return
    for name, dtype in READING_COLUMNS.items():
        if schema.get(name) != dtype:
            yield f"readings: expected a column {name} of {dtype}, came {schema.get(name)}"


def _name(spec: object) -> object:
    return getattr(spec, "name", "?")


def _built_in() -> Iterator[tuple[str, SourceSpec[Any]]]:
    for name in BUILT_IN:
        package = f"{__package__}.{name}"
        yield package, _loaded(EntryPoint(name, f"{package}:SOURCE", GROUP), origin=package)


def _of_other_packages() -> Iterator[tuple[str, SourceSpec[Any]]]:
    for point in other_sources():
        origin = f"entry point {point.name} = {point.value}"
        yield origin, _loaded(point, origin=origin)


def _loaded(point: EntryPoint, *, origin: str) -> Any:
    """Return what is registered under a name; ``origin`` says where in messages.

    Raises:
        SourceError: It cannot be imported, or has another name.
    """
    try:
        spec = point.load()
    except Exception as error:
        raise SourceError(
            f"source {point.name!r} ({origin}) cannot be imported: {type(error).__name__}: "
            f"{error}. Correct or remove its package"
        ) from error
    if _name(spec) != point.name:
        raise SourceError(
            f"source {_name(spec)!r} ({origin}): name: expected {point.name!r}, by which it is "
            "registered"
        )
    return spec


def day_tables() -> dict[str, Table]:
    """Return the day table of each source, by source.

    >>> day_tables()["files"].sort_key
    ('device_id', 'point', 'at')
    """
    return {name: spec.day_table for name, spec in sources().items()}


def reject_tables() -> dict[str, Table]:
    """Return the table of odd rows of each source, by source.

    >>> reject_tables()["files"].name
    'raw_files__rejects'
    """
    return {name: spec.reject_table for name, spec in sources().items()}


def inventory_tables() -> dict[str, tuple[Table, ...]]:
    """Return the inventory snapshots of each source, by source.

    >>> [table.name for table in inventory_tables()["files"]]
    ['raw_files__loggers', 'raw_files__points']
    """
    return {name: spec.inventory_tables for name, spec in sources().items()}


@cache
def tables() -> Mapping[str, Table]:
    """Return every table of the lake by name, those of odd rows excepted."""
    raw = day_tables().values()
    inventories = (table for found in inventory_tables().values() for table in found)
    return MappingProxyType({table.name: table for table in (*raw, *inventories, *DERIVED_TABLES)})


def landing_folder(data_dir: Path, *, source: str) -> Path:
    """Return the folder for files of a source's own, such as polls.

    >>> landing_folder(Path("data"), source="files").as_posix()
    'data/landing/files'
    """
    return data_dir / "landing" / source


def open_source(
    name: str,
    *,
    portfolio: Portfolio,
    landing: Path,
    logins: RefusedLogins | None,
    lake: Lake | None = None,
    settings: SourceSettings | None = None,
) -> AbstractContextManager[OpenSource]:
    """Open a source with the settings of the environment.

    Args:
        name: Which one.
        portfolio: Says which points are wanted where a source has to be asked for each.
        landing: Folder for files of the source's own.
        logins: What the installation knows of refused logins; None remembers until this ends.
        lake: Holds the inventory of before, by which devices keep their names.
        settings: In place of those of the environment.

    Raises:
        SettingsError: A credential is missing, or the trust store or proxy cannot be used; the
            message names the variable.
    """
    spec = get_source(name)
    context = SourceContext(portfolio=portfolio, landing=landing, logins=logins, lake=lake)
    return spec.open(settings or spec.settings(), context)


def poll_source(
    name: str,
    *,
    lake: Lake,
    portfolio: Portfolio,
    landing: Path,
    now: Callable[[], datetime],
    logins: RefusedLogins | None,
) -> PollReport:
    """Poll every device of a source once; when this returns, the answers are on disk.

    Args:
        name: A source that is polled.
        lake: Holds the inventory.
        portfolio: Says which devices are left out.
        landing: Folder of the polls.
        now: The present.
        logins: What the installation knows of refused logins.

    Raises:
        SettingsError: A credential is missing, or the source is not one that is polled.
        VendorError: The devices could not be listed.
        OSError: The disk refuses.
    """
    spec = get_source(name)
    if spec.poll is None:
        raise SourceError(f"source {name!r} is not polled")
    context = SourceContext(portfolio=portfolio, landing=landing, logins=logins, lake=lake)
    return spec.poll.run(spec.settings(), context, now)
