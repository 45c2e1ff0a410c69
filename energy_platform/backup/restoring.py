"""A backup verified, and put back into a data folder that holds nothing.

Belongs here: what is put where, aside first and then by renames. Does not: what a restored stream
does before it sends again (``delivery``).
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.backup.databases import file_of
from energy_platform.backup.errors import BackupError
from energy_platform.backup.manifest import manifests, read_manifest
from energy_platform.backup.objects import Objects
from energy_platform.backup.selection import CATALOGUE, DATA, LEDGER, PORTFOLIO
from energy_platform.days import microseconds
from energy_platform.delivery import LEDGER_FILE, Ledger
from energy_platform.installation.origin import MARKER
from energy_platform.lake.catalogue_database import CATALOGUE_FILE
from energy_platform.lake.files import sync_folder
from energy_platform.lake.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from energy_platform.backup.manifest import Manifest
    from energy_platform.settings import PlatformSettings

_ASIDE: Final = ".restoring"
"""Begins the name of the folder in which a data folder is made before it is put in place."""

_SHOWN: Final = 5

_PUT_ASIDE: Final = "portfolio-restored"
"""Folder of a portfolio that differs from the one that is there."""


class Verified(NamedTuple):
    """What reading backups whole found.

    Attributes:
        backups: Manifests that are whole.
        objects: Contents that were read.
        bytes: Theirs.
        problems: What is missing or damaged, and which files that is; empty when all is well.
        seconds: How long it took.
    """

    backups: int
    objects: int
    bytes: int
    problems: tuple[str, ...]
    seconds: float


class Restored(NamedTuple):
    """What was put back.

    Attributes:
        manifest: The backup.
        data_dir: Where its data lie now.
        portfolio: Where its portfolio lies now; None where it has none.
        is_portfolio_aside: Whether another portfolio was there, which was left alone.
        streams: Streams that read back before they send again.
        days: Files of the lake, as its catalogue lists them now.
        seconds: How long it took.
    """

    manifest: Manifest
    data_dir: Path
    portfolio: Path | None
    is_portfolio_aside: bool
    streams: int
    days: int
    seconds: float


def verify(folder: Path, *, only: Path | None = None) -> Verified:
    """Read every manifest, and every content that one names, and compare it with its name.

    Args:
        folder: The backup folder.
        only: This manifest only; None: all.
    """
    began = time.monotonic()
    problems: list[str] = []
    wanted: dict[str, int] = {}
    files: dict[str, list[str]] = {}
    backups = 0
    for path in manifests(folder) if only is None else [only]:
        try:
            manifest = read_manifest(path)
        except BackupError as error:
            problems.append(str(error))
            continue
        backups += 1
        for one in manifest.files:
            wanted[one.digest] = one.size
            files.setdefault(one.digest, []).append(f"{one.name} of {path.stem}")
    objects = Objects(folder)
    for digest, size in sorted(wanted.items()):
        try:
            objects.copy(digest, None, size=size)
        except BackupError as error:
            problems.append(f"{error}; it holds {_some(files[digest])}")
    return Verified(
        backups, len(wanted), sum(wanted.values()), tuple(problems), time.monotonic() - began
    )


def restore(
    folder: Path,
    manifest_file: Path,
    platform: PlatformSettings,
    *,
    now: datetime,
    on_progress: Callable[[int, int], None] | None = None,
) -> Restored:
    """Put a backup back into the data folder of the settings, which must hold nothing.

    Every content is verified while it is copied aside; the folder appears by a rename, with a
    catalogue that fits its files and a ledger whose streams read back before they send.

    Args:
        folder: The backup folder.
        manifest_file: The backup.
        platform: Where to: data folder, portfolio, databases.
        now: The present.
        on_progress: Called with the files done and the files in all.

    Raises:
        BackupError: The data folder holds something, the backup is damaged, or its ledger does not
            fit the settings; nothing was put in place.
        LedgerError: The ledger is of a newer version of the platform.
    """
    began = time.monotonic()
    data_dir = platform.data_dir
    manifest = read_manifest(manifest_file)
    names = {one.name for one in manifest.files}
    outside = _outside(platform, names=names)
    _refuse_data(data_dir)
    for target in outside.values():
        if target.exists():
            raise BackupError(f"{target}: is there already; move it away, or restore elsewhere")
    objects = Objects(folder)
    aside = _make_aside(data_dir)
    try:
        for number, one in enumerate(manifest.files):
            target = aside.joinpath(*_parts(one.name))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                objects.copy(one.digest, target, size=one.size)
            except BackupError as error:
                raise BackupError(
                    f"{error}; it holds {one.name}. Nothing was put in place. An older backup may "
                    "be whole: --at; `--verify-only` lists all that is damaged"
                ) from None
            if on_progress is not None:
                on_progress(number + 1, len(manifest.files))
        streams = 0
        ledger = aside.joinpath(*_parts(LEDGER))
        if ledger.exists():
            with Ledger.at(ledger) as opened:
                streams = opened.mark_restored(
                    lake_until_us=microseconds(manifest.taken_at), now_us=microseconds(now)
                )
            ledger.with_name(f"{ledger.name}.migrate.lock").unlink(missing_ok=True)
        for name, target in outside.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(aside.joinpath(*_parts(name)), target)
        portfolio, is_aside = _put_portfolio(aside, manifest, platform)
        _put_in_place(aside / DATA, data_dir)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if manifest.portfolio is not None and portfolio is None:
        portfolio = data_dir.joinpath(*_parts(manifest.portfolio)[1:])
    # The look that lists the files from their footers; of those that are gone it says so.
    listed = Lake.of(platform).changed_since(0).files
    days = sum(one.footer is not None for one in listed)
    return Restored(
        manifest=manifest,
        data_dir=data_dir,
        portfolio=portfolio,
        is_portfolio_aside=is_aside,
        streams=streams,
        days=days,
        seconds=time.monotonic() - began,
    )


def _outside(platform: PlatformSettings, *, names: Iterable[str]) -> Mapping[str, Path]:
    """Return where databases go that the settings keep outside the data folder, by their name.

    Raises:
        BackupError: The backup has a ledger in a file, and the settings one on a server.
    """
    found = {}
    urls = {LEDGER: platform.ledger_url, CATALOGUE: platform.catalogue_url}
    defaults = {LEDGER: LEDGER_FILE, CATALOGUE: CATALOGUE_FILE}
    for name in urls.keys() & set(names):
        default = platform.data_dir / defaults[name]
        target = file_of(urls[name], default=default)
        if target is None and name == LEDGER:
            raise BackupError(
                "ENERGY_PLATFORM_LEDGER_URL names a server, and this backup holds a ledger in a "
                "file, which would be used by nobody: remove the setting, then restore"
            )
        if target is not None and target != default:
            found[name] = target
    return found


def _refuse_data(data_dir: Path) -> None:
    try:
        entries = sorted(one.name for one in data_dir.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise BackupError(f"{data_dir}: is a file; name a folder") from None
    if entries:
        half = any(one.startswith(_ASIDE) for one in entries)
        why = "a restore was ended half way in it" if half else "it holds data"
        raise BackupError(
            f"{data_dir}: {why} ({_some(entries)}). A backup is put back into an empty folder or a "
            "new one: move this one away, or name another with --into"
        )


def _make_aside(data_dir: Path) -> Path:
    """Make the folder in which the data folder is built: next to it, or in it where that must be.

    A data folder that is a mounted volume cannot be replaced; what is in it then is renamed.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    name = f"{_ASIDE}-{data_dir.name}-{secrets.token_hex(4)}"
    is_mount = data_dir.exists() and os.path.ismount(data_dir)
    parent = data_dir if is_mount else data_dir.parent
    aside = parent / name
    try:
        aside.mkdir()
    except PermissionError:
        if not data_dir.is_dir():
            raise
        aside = data_dir / name
        aside.mkdir()
    return aside


def _put_in_place(made: Path, data_dir: Path) -> None:
    """Let the data folder appear; its mark comes last where entries have to be moved singly."""
    made.mkdir(exist_ok=True)
    if made.parent.parent != data_dir:
        try:
            if data_dir.exists():
                data_dir.rmdir()
            made.replace(data_dir)
        except OSError as error:
            if error.errno not in {errno.EBUSY, errno.EXDEV}:
                raise
        else:
            sync_folder(data_dir.parent)
            return
    data_dir.mkdir(exist_ok=True)
    for one in sorted(made.iterdir(), key=lambda path: path.name == MARKER):
        shutil.move(one, data_dir / one.name)
    sync_folder(data_dir)


def _put_portfolio(
    aside: Path, manifest: Manifest, platform: PlatformSettings
) -> tuple[Path | None, bool]:
    """Put the portfolio where the settings expect it, unless another one is there.

    Returns:
        Where it lies now, None where it is in the data folder or there is none; and whether another
        one was left alone.
    """
    made = aside / PORTFOLIO
    if manifest.portfolio is None or not made.is_dir():
        return None, False
    main = made / PurePosixPath(manifest.portfolio).name
    target = platform.portfolio
    parts, target_parts = main.with_suffix(".d"), target.with_suffix(".d")
    if not target.exists() and not target_parts.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        if parts.is_dir():
            shutil.move(parts, target_parts)
        shutil.move(main, target)
        return target, False
    if _contents(main) == _contents(target):
        return target, False
    kept = aside / DATA / _PUT_ASIDE
    kept.parent.mkdir(exist_ok=True)
    shutil.move(made, kept)
    return platform.data_dir / _PUT_ASIDE / main.name, True


def _contents(main: Path) -> dict[str, bytes]:
    """Return the contents of a portfolio's files, by name; empty for a main file that is not."""
    parts = main.with_suffix(".d")
    files = sorted(parts.glob("*.yaml")) if parts.is_dir() else []
    found = {f"parts/{path.name}": path.read_bytes() for path in files}
    return found | ({"main": main.read_bytes()} if main.is_file() else {})


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a name in a manifest.

    Raises:
        BackupError: It leads out of the folder.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.parts[0] not in {DATA, PORTFOLIO}:
        raise BackupError(f"the manifest names {name!r}, which is not a place in a backup")
    return path.parts


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
