"""What a source is: the parts that one folder under ``sources`` brings, and how they are called.

Belongs here: the boundary between the platform and any source. Does not belong here: a source's
name (``registry``), the HTTP transport (``http``), what shows a day to be whole (``coverage``),
and what becomes of a pulled day (``energy_platform.ingest``).

A source is a :class:`SourceSpec`. Everything that follows from it is derived from the registry: the
asset group, pool, jobs, schedules and sensors, ``.env.example``, ``doctor``, ``discover``, the
values that the marts' tests allow, and the texts of help.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

from energy_platform.schemas import TEXT, Table, column, key_column
from energy_platform.settings import SourceSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    import polars as pl

    from energy_platform.discovery.vendor_inventory import VendorInventory
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.sources.coverage import DeviceDay, Earlier, Reject
    from energy_platform.sources.http.errors import VendorError
    from energy_platform.sources.http.logins import RefusedLogins

S = TypeVar("S", bound=SourceSettings)
"""The settings of a source."""

REJECT_COLUMNS: Final = (
    key_column("device", "Serial number of the device, or its id at the vendor."),
    key_column("series", "Series as the vendor names it within the device; empty when unknown."),
    key_column("row_id", "Digest of what the row said, and which of several equal ones it is."),
    column("stamp_text", TEXT, "Stamp as the vendor said it; null when there was none."),
    column("value_text", TEXT, "Value as the vendor said it; null when there was none."),
    column("reason", TEXT, "Why the row was set aside.", nullable=False),
)
"""Columns of every source's odd rows."""


class PulledDay(Protocol):
    """What a source gave for one UTC day: rows or an error, and its anomalies.

    Rows may come in chunks that are read while they are landed; the rest is known afterwards.
    """

    @property
    def day(self) -> str:
        """The UTC day."""

    @property
    def frame(self) -> pl.DataFrame | Iterator[pl.DataFrame] | None:
        """Its rows, or chunks of them in the order of the day table's key; None when it failed."""

    @property
    def error(self) -> VendorError | None:
        """Why it failed."""

    @property
    def duplicates(self) -> int:
        """Rows that came twice."""

    @property
    def conflicts(self) -> int:
        """Rows that contradicted another."""

    @property
    def nulls(self) -> int:
        """Rows without a value."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Anomalies, for display."""

    @property
    def devices(self) -> tuple[DeviceDay, ...]:
        """What each device gave, and why it is not whole where it is not."""

    @property
    def rejects(self) -> Sequence[Reject]:
        """Odd rows that were set aside."""


class DayPull(NamedTuple):
    """A `PulledDay` whose rows are all there: what most sources yield.

    Attributes:
        day: The UTC day.
        frame: Rows of the day table; None when the day failed.
        error: Why the day failed.
        duplicates: Rows that repeated another exactly.
        conflicts: Rows that gave another value for the same sample.
        nulls: Rows without a number and without a text.
        warnings: Anomalies, one sentence each.
        devices: What each device gave, and why it is not whole where it is not.
        rejects: Rows that cannot stand in the table.
    """

    day: str
    frame: pl.DataFrame | None
    error: VendorError | None = None
    duplicates: int = 0
    conflicts: int = 0
    nulls: int = 0
    warnings: tuple[str, ...] = ()
    devices: tuple[DeviceDay, ...] = ()
    rejects: tuple[Reject, ...] = ()


class OpenSource(Protocol):
    """A source whose connections are open."""

    def check_login(self) -> None:
        """Make the cheapest call that needs the credentials; a source without any returns.

        Credentials that were refused are not tried again before their time: each attempt is made
        within ``SourceContext.logins.attempt``, so that no account is locked.

        Raises:
            AuthenticationError: The credentials are refused, now or before.
            VendorError: The call did not succeed.
        """

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name, none with what reaches a person.

        Raises:
            VendorError: It could not be read.
        """

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[PulledDay]:
        """Yield every day once, in order: its rows or its error.

        A day's rows lie within it and before ``until``, are sorted by the day table's key, one for
        each key, and are of no device that the portfolio leaves out. The same answers give the same
        rows. A day that nothing can be asked for, because the inventory has no devices, is an error
        and never a whole day without rows.

        Args:
            days: UTC days, in order.
            until: The present; today is read up to here.
            inventory: The inventory snapshots by table name.
            earlier: Says what the lake holds for the day before a day.

        Raises:
            AuthenticationError: The credentials are refused; no further day comes.
        """


@dataclass(frozen=True, kw_only=True)
class SourceContext:
    """What a source is opened with besides its settings.

    Attributes:
        portfolio: Says which points are wanted, where a source has to be asked for each, and which
            devices are left out.
        landing: Folder for files of the source's own, ``data/landing/<name>``; may not exist yet.
        logins: What the installation knows of refused logins; where it is None, a ``RefusedLogins``
            of the source's own remembers until it is closed.
        lake: Holds the inventory of before, by which devices keep their names; None: none is known.
    """

    portfolio: Portfolio
    landing: Path
    logins: RefusedLogins | None = None
    lake: Lake | None = None


class Address(NamedTuple):
    """An address that a source is spoken to at.

    Attributes:
        subject: What it serves: the source's name, or the name and a word, such as "acme login".
        url: Answers GET without credentials, whatever it says.
    """

    subject: str
    url: str


class SourceCheck(NamedTuple):
    """One thing that ``doctor`` says of a source besides what it says of all.

    Attributes:
        check: Name of the check, such as polls.
        is_ok: Whether all is well.
        message: What was seen, one sentence.
        advice: What to do about it; empty when all is well.
    """

    check: str
    is_ok: bool
    message: str
    advice: str = ""


class PolledDevice(Protocol):
    """What a poll brought of one device."""

    @property
    def samples(self) -> int:
        """New samples, on disk now."""


class PollReport(Protocol):
    """One round of polls."""

    @property
    def landed(self) -> Mapping[str, PolledDevice]:
        """What each device brought."""

    @property
    def failed(self) -> Mapping[str, VendorError]:
        """Why a device brought nothing."""

    @property
    def late_days(self) -> frozenset[str]:
        """Earlier days that got samples and are due to be read again."""


@dataclass(frozen=True, kw_only=True)
class Poll(Generic[S]):
    """How newest values are kept where a source has no history: polled, and folded into days.

    The files lie in the landing folder of :class:`SourceContext`. A day is then a fold of what is
    there, also while the source is away.

    Attributes:
        run: Polls every device once; when it returns, the answers are on disk. Raises
            SettingsError, VendorError or OSError when nothing could be polled.
        polled_at: Returns when a poll last landed, None where none ever did.
        days: Returns the UTC days that the folder has polls of, in order.
        archive: Compresses old files; with ``keep_days``, drops older ones; returns how many were
            compressed.
    """

    run: Callable[[S, SourceContext, Callable[[], datetime]], PollReport]
    polled_at: Callable[[Path], datetime | None]
    days: Callable[[Path], list[str]]
    archive: Callable[[Path, str, int | None], int]


def nothing_to_check(
    _settings: SourceSettings, _context: SourceContext, _now: datetime
) -> Iterable[SourceCheck]:
    """Have ``doctor`` check nothing but what it checks of every source."""
    return ()


def no_address(_settings: SourceSettings) -> Sequence[Address]:
    """Be reached at no address, as a source of files is."""
    return ()


def keep_nothing(frames: Mapping[str, pl.DataFrame], _lake: Lake) -> Mapping[str, pl.DataFrame]:
    """Take every inventory as it came."""
    return frames


@dataclass(frozen=True, kw_only=True)
class SourceSpec(Generic[S]):
    """A source: all that the platform has to know of it.

    Attributes:
        name: Lower-case word, such as ``acme``. The group ``raw_acme``, the pool ``acme_api``, the
            job ``ingest_acme``, the variables ``ACME_*``, the tables ``raw_acme__…``, the landing
            folder and the first part of each point's id follow from it.
        title: Name shown to users.
        settings: Its settings; their variables begin with the name.
        login: Settings without which nothing can be read, each None by default.
        enabled_by: Those of them any of which puts the source in use; by default all. Where none of
            these is set the source is left alone, where one is, ``doctor`` names what is missing.
        day_table: Table of its samples, one file a UTC day. Its key ends with ``at``; it has
            ``value`` and ``value_text``.
        device_column: Column of the day table that names the device as users know it.
        own_id_column: Column of the source's own id of the device, where several devices may have
            one serial number and ids can change; None where there is no such thing.
        inventory_tables: Snapshots of sites, devices and what else is known; unpartitioned.
        not_for_days: Those of them that no day is read by, so that days need not wait for them.
        open: Opens it; a context manager of an :class:`OpenSource`. A missing credential raises
            SettingsError, which names the variable.
        readings: Returns rows of the day table as ``point_id, at, value, text, unit``, and where
            the source can tell ``is_backward`` and ``is_foreign``; pure. One row for each, in their
            order, and what it says of a row rests on rows of the same ``device_column`` alone: a
            day that does not fit into memory is given in shares of devices.
        discover: Returns what inventory frames come to: sites, devices, proposed points; pure.
        addresses: Where it is spoken to, each asked by ``doctor`` without credentials.
        checks: What else ``doctor`` says of it.
        keep: Returns inventory frames with what could not be read this time as the lake has it.
        poll: How newest values are kept; None where the source has history.
        arrivals: Returns the UTC days that something came of, with when the newest of it came, from
            the settings and the landing folder. Then those days are due, each once for what came,
            and no day is missing that nothing came of. None where the source can be asked for every
            day: then each day is due by the clock.
        mart_tables: Inventory tables that the marts read.
        drifting_tables: Those of them that change with every inventory: they go along with the next
            build, and make no published file stale.
        simulated_settings: Variables that differ where the source is simulated.
    """

    name: str
    title: str
    settings: type[S]
    login: tuple[str, ...]
    enabled_by: tuple[str, ...] = ()
    day_table: Table
    device_column: str
    own_id_column: str | None = None
    inventory_tables: tuple[Table, ...]
    not_for_days: tuple[Table, ...] = ()
    open: Callable[[S, SourceContext], AbstractContextManager[OpenSource]]
    readings: Callable[[pl.DataFrame], pl.DataFrame]
    discover: Callable[[Mapping[str, pl.DataFrame]], VendorInventory]
    addresses: Callable[[S], Sequence[Address]] = no_address
    checks: Callable[[S, SourceContext, datetime], Iterable[SourceCheck]] = nothing_to_check
    keep: Callable[[Mapping[str, pl.DataFrame], Lake], Mapping[str, pl.DataFrame]] = keep_nothing
    poll: Poll[S] | None = None
    arrivals: Callable[[S, Path], Mapping[str, datetime]] | None = None
    mart_tables: tuple[Table, ...] = ()
    drifting_tables: tuple[Table, ...] = ()
    simulated_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """Asset group of its raw tables."""
        return f"raw_{self.name}"

    @property
    def reject_table(self) -> Table:
        """The odd rows of its days; a day without any has no file."""
        return reject_table_of(self.name)

    @property
    def tables(self) -> tuple[Table, ...]:
        """All its tables."""
        return (self.day_table, self.reject_table, *self.inventory_tables)

    @property
    def secrets(self) -> frozenset[str]:
        """Settings that nothing may show: no log, message, file or metadata."""
        return frozenset(
            name
            for name, field in self.settings.model_fields.items()
            if "SecretStr" in str(field.annotation)
        )

    def is_configured(self, settings: SourceSettings) -> bool:
        """Say whether the source is in use; incomplete credentials fail where they are used."""
        return any(getattr(settings, field) is not None for field in self.enabled_by or self.login)

    def missing(self, settings: SourceSettings) -> list[str]:
        """Return the variables of the credentials that are not set."""
        return [
            f"{self.name}_{field}".upper()
            for field in self.login
            if getattr(settings, field) is None
        ]


def reject_table_of(source: str) -> Table:
    """Return the contract of the table of a source's odd rows.

    >>> reject_table_of("acme").name
    'raw_acme__rejects'
    """
    return Table(
        name=f"raw_{source}__rejects",
        description=(
            f"Odd rows of {source}, set aside one by one: without a readable stamp, or no rows at "
            "all. They are in no other table."
        ),
        columns=REJECT_COLUMNS,
        sort_key=("device", "series", "row_id"),
    )
