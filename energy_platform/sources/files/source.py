"""Dropped files as a source: what is taken of the inbox, and what ``doctor`` says of it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.settings import required
from energy_platform.sources.base import SourceCheck
from energy_platform.sources.files import pull
from energy_platform.sources.files.inbox import REFUSED, dropped_files, read_loggers
from energy_platform.sources.files.intake import Intake, take_in
from energy_platform.sources.files.store import LOCK, Store
from energy_platform.sources.files.tables import RAW_FILES_LOGGERS
from energy_platform.sources.http.errors import PermanentError, VendorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from energy_platform.sources.base import PulledDay, SourceContext
    from energy_platform.sources.coverage import Earlier
    from energy_platform.sources.files.inbox import Logger
    from energy_platform.sources.files.settings import FilesSettings
    from energy_platform.sources.files.store import KnownFile

SHOWN: Final = 3
"""Files that a sentence names; the others are counted."""

WAITS_TOO_LONG_S: Final = 3600
"""A file that rests in the inbox this long without being taken is worth a look."""


@dataclass(frozen=True)
class FilesSource:
    """Dropped files, taken out of the inbox before days are folded from them."""

    settings: FilesSettings
    store: Store
    left_out: frozenset[str]

    def check_login(self) -> None:
        """Make sure that the inbox is there and can be read and emptied.

        Raises:
            VendorError: It cannot.
        """
        _listed(self.settings)

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name, with what lies in the inbox now.

        Raises:
            VendorError: The inbox or the disk refuses.
        """
        self._take(datetime.now(tz=UTC))
        frames = pull.inventory(self.store, _loggers(self.settings))
        zone = self.settings.timezone
        loggers = frames[RAW_FILES_LOGGERS.name]
        if zone is not None:
            loggers = loggers.with_columns(timezone=loggers["timezone"].fill_null(zone))
        return frames | {RAW_FILES_LOGGERS.name: loggers}

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],  # noqa: ARG002 - the files themselves say it all
        earlier: Earlier,  # noqa: ARG002 - what a file lacks, no second question brings
    ) -> Iterator[PulledDay]:
        """Yield every day once: its rows or its error.

        Raises:
            VendorError: The inbox or the disk refuses.
        """
        self._take(until)
        yield from pull.days(
            self.store,
            days,
            until=until,
            loggers=_loggers(self.settings),
            left_out=self.left_out,
            warnings=[said.message for said in _troubles(self.settings, self.store)],
        )

    def _take(self, now: datetime) -> Intake:
        try:
            return take_in(self.settings, self.store, now=now)
        except OSError as error:
            raise _refusal(self.settings, error) from error


@contextmanager
def open_files(settings: FilesSettings, context: SourceContext) -> Iterator[FilesSource]:
    """Open the inbox.

    Raises:
        SettingsError: FILES_FOLDER is not set.
    """
    required(settings.folder, variable="FILES_FOLDER", why="it names the inbox of dropped files")
    with closing(Store(context.landing)) as store:
        yield FilesSource(settings, store, context.portfolio.left_out("files"))


class TakenOfLogger(NamedTuple):
    """What a look into the inbox brought of one logger: samples, on disk now."""

    samples: int


@dataclass(frozen=True)
class InboxReport:
    """One look into the inbox.

    Attributes:
        landed: What each logger brought.
        failed: Why files of a logger could not be read.
        late_days: None: which days are due is read from the files that were taken.
    """

    landed: Mapping[str, TakenOfLogger]
    failed: Mapping[str, VendorError]
    late_days: frozenset[str] = frozenset()


def look(
    settings: FilesSettings, context: SourceContext, now: Callable[[], datetime]
) -> InboxReport:
    """Take what is whole out of the inbox; when this returns, it is in the archive.

    Raises:
        VendorError: The inbox or the disk refuses.
    """
    with closing(Store(context.landing)) as store:
        try:
            intake = take_in(settings, store, now=now())
        except OSError as error:
            raise _refusal(settings, error) from error
    landed: dict[str, int] = {}
    for file in intake.taken:
        landed[file.logger] = landed.get(file.logger, 0) + file.samples
    failed: dict[str, VendorError] = {
        logger: _failure(logger, reason) for logger, reason in intake.troubles.items()
    }
    for file in intake.refused:
        failed[f"{file.logger}/{file.name}"] = _failure(file.logger, f"{file.name}: {file.reason}")
    return InboxReport(
        {logger: TakenOfLogger(samples) for logger, samples in landed.items()}, failed
    )


def _failure(logger: str, reason: str) -> VendorError:
    return PermanentError(reason, vendor="files", endpoint="inbox", subject=f"logger {logger}")


def _refusal(settings: FilesSettings, error: OSError) -> VendorError:
    where = error.filename or settings.folder
    return PermanentError(
        f"{where}: {error.strerror or error}",
        vendor="files",
        endpoint="inbox",
        advice="Check FILES_FOLDER, the rights of its folders and the room on the disk",
    )


def looked_at(landing: Path) -> datetime | None:
    """Return when the inbox was last looked at; None where it never was."""
    try:
        return datetime.fromtimestamp((landing / LOCK).stat().st_mtime, tz=UTC)
    except FileNotFoundError:
        return None


def arrived_days(landing: Path) -> list[str]:
    """Return the UTC days that files were taken for, in order."""
    with closing(Store(landing)) as store:
        return sorted(store.arrivals())


def keep_archive(_landing: Path, _today: str, _keep_days: int | None) -> int:
    """Keep every file: nobody could send it again."""
    return 0


def arrivals(settings: FilesSettings, landing: Path) -> dict[str, datetime]:
    """Return the UTC days that are due by what arrived, and when the newest of it was read.

    They are the days that files have something of; and, of loggers whose mapping states how often
    they sample, the days in between that no file has anything of.
    """
    try:
        loggers = _loggers(settings)
    except VendorError:
        # Said by whoever looks into the inbox; what was taken from it is due all the same.
        loggers = {}
    with closing(Store(landing)) as store:
        return store.arrivals() | pull.missing_days(store, loggers)


def _loggers(settings: FilesSettings) -> dict[str, Logger]:
    try:
        return pull.loggers_of(settings.folder)
    except OSError as error:
        raise _refusal(settings, error) from error


def _listed(settings: FilesSettings) -> dict[str, Logger]:
    folder = settings.folder
    if folder is None or not folder.is_dir():
        raise PermanentError(
            f"{folder} is not a folder",
            vendor="files",
            endpoint="inbox",
            advice="Make it, or set FILES_FOLDER to the folder that files are dropped into",
        )
    try:
        return read_loggers(folder)
    except OSError as error:
        raise _refusal(settings, error) from error


def check_inbox(
    settings: FilesSettings, context: SourceContext, now: datetime
) -> Iterator[SourceCheck]:
    """Check that nothing in the inbox waits for somebody, and say what was taken."""
    with closing(Store(context.landing)) as store:
        yield from _troubles(settings, store, now=now)
        taken = store.taken()
        samples = sum(file.samples for file in taken)
        loggers = len({file.logger for file in taken})
        yield SourceCheck(
            "taken",
            is_ok=True,
            message=f"{len(taken)} files of {loggers} loggers, {samples} samples",
        )
        bad = [file for file in taken if file.bad_lines]
        if bad:
            yield SourceCheck(
                "bad lines",
                is_ok=False,
                message=_named(bad, lambda one: f"{one.name}: {one.bad_lines} lines not used"),
                advice="Each stands in raw_files__rejects with file, line and reason",
            )


def _troubles(
    settings: FilesSettings, store: Store, *, now: datetime | None = None
) -> Iterator[SourceCheck]:
    try:
        loggers = _listed(settings)
    except VendorError as error:
        yield SourceCheck("inbox", is_ok=False, message=error.reason, advice=error.advice)
        return
    for logger in loggers.values():
        if logger.error:
            yield SourceCheck(
                "mapping",
                is_ok=False,
                message=logger.error,
                advice="Its files wait until it is right",
            )
    if refused := store.refused():
        yield SourceCheck(
            "refused",
            is_ok=False,
            message=_named(refused, lambda one: f"{one.name} ({one.logger}): {one.reason}"),
            advice=f"See {settings.folder}/{REFUSED}; correct the mapping, or drop them again",
        )
    if unread := [file for file in store.taken() if file.reason]:
        yield SourceCheck(
            "mapping",
            is_ok=False,
            message=_named(unread, lambda one: f"{one.name} ({one.logger}): {one.reason}"),
            advice="What was read of them before stays; correct the mapping",
        )
    if now is None or settings.folder is None:
        return
    waiting = [
        file.path.name
        for file in dropped_files(settings.folder, loggers)
        if now.timestamp() - file.changed > WAITS_TOO_LONG_S
    ]
    if waiting:
        shown = ", ".join(waiting[:SHOWN])
        yield SourceCheck(
            "waiting",
            is_ok=False,
            message=f"{len(waiting)} files were not taken for an hour or more: {shown}",
            advice="Files are taken while `energy-platform ui` or the service runs, and by "
            "backfill; is one open in a program, or larger than FILES_LARGEST_MB?",
        )


def _named(files: Sequence[KnownFile], say: Callable[[KnownFile], str]) -> str:
    shown = "; ".join(say(one) for one in files[:SHOWN])
    return shown + (f"; and {len(files) - SHOWN} more files" if len(files) > SHOWN else "")
