"""``energy-platform backup`` and ``restore``: copies of what cannot be made again."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from energy_platform.backup import (
    BackupError,
    find_manifest,
    manifests,
    restore,
    take_backup,
    verify,
)
from energy_platform.backup.databases import dump_command
from energy_platform.cli.console import error_console, print_error, program
from energy_platform.installation.origin import installation
from energy_platform.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from energy_platform.backup import Manifest, Restored, Taken, Verified
    from energy_platform.settings import PlatformSettings

OK: Final = 0
DAMAGED: Final = 1

_QUIET_S: Final = 3.0
"""What is over sooner needs no progress."""


def run_backup(
    console: Console, folder: Path | None, *, derived: bool, keep: int | None, as_json: bool
) -> int:
    """Back up the installation of the settings.

    Returns:
        0.

    Raises:
        BackupError: It could not be made.
        SettingsError: A variable is wrong.
    """
    settings = installation().settings
    where = folder or settings.platform.backup_folder
    if where is None:
        raise BackupError(
            "name a folder for the backup, or set ENERGY_PLATFORM_BACKUP_FOLDER; best is one on "
            "another machine"
        )
    taken = take_backup(
        settings, where.absolute(), derived=derived, keep=keep, on_progress=_Progress("copied")
    )
    if as_json:
        _print_json(_taken(taken))
        return OK
    manifest = taken.manifest
    _say(
        console,
        f"{taken.path}: {len(manifest.files)} files, {_size(manifest.size)}; new were "
        f"{taken.new_objects} contents, {_size(taken.new_bytes)}; {taken.seconds:.1f} s",
    )
    if taken.pruned is not None:
        _say(
            console,
            f"removed: {taken.pruned.backups} older backups, {taken.pruned.objects} contents that "
            f"none names any more, {_size(taken.pruned.bytes)}",
        )
    for line in [*_on_servers(manifest), *_left_out(manifest)]:
        _say(console, line)
    return OK


def run_restore(
    console: Console,
    folder: Path,
    *,
    at: datetime | None,
    into: Path | None,
    verify_only: bool,
    as_json: bool,
) -> int:
    """Put a backup back, or only read what there is.

    Returns:
        1 when something is damaged, else 0.

    Raises:
        BackupError: There is no backup, it is damaged, or the data folder holds data.
        SettingsError: A variable is wrong.
    """
    folder = folder.absolute()
    if verify_only:
        only = None if at is None else find_manifest(folder, at=at)
        if not manifests(folder):
            find_manifest(folder)
        return _verified(console, verify(folder, only=only), as_json=as_json)
    path = find_manifest(folder, at=at)
    restored = restore(
        folder,
        path,
        _platform(path, into=into),
        now=datetime.now(tz=UTC),
        on_progress=_Progress("put back"),
    )
    if as_json:
        _print_json(_restored(restored))
        return OK
    manifest = restored.manifest
    _say(
        console,
        f"{restored.data_dir}: as of {manifest.taken_at:%F %T} UTC; {len(manifest.files)} files, "
        f"{_size(manifest.size)}, each verified; {restored.days} files in the lake's catalogue; "
        f"{restored.seconds:.1f} s",
    )
    for line in [*_portfolio_lines(restored), *_on_servers(manifest, is_restore=True)]:
        _say(console, line)
    if restored.streams:
        _say(
            console,
            f"{restored.streams} streams read back what their destination holds before they send "
            "again, so that nothing is sent twice",
        )
    for line in _next_steps(restored):
        _say(console, line)
    return OK


def _platform(path: Path, *, into: Path | None) -> PlatformSettings:
    """Return where a backup goes: a demo's never to the databases of a real account."""
    from energy_platform.backup.manifest import read_manifest  # noqa: PLC0415

    manifest = read_manifest(path)
    platform = Settings.load().platform
    data_dir = platform.data_dir if into is None else into.expanduser().absolute()
    if manifest.origin == "demo":
        return Settings.load({"ENERGY_PLATFORM_DATA_DIR": str(data_dir)}).platform
    return platform.model_copy(update={"data_dir": data_dir})


def _verified(console: Console, found: Verified, *, as_json: bool) -> int:
    if as_json:
        _print_json(found._asdict())
        return DAMAGED if found.problems else OK
    for problem in found.problems:
        print_error(error_console(), problem)
    _say(
        console,
        f"{found.backups} backups, {found.objects} contents, {_size(found.bytes)} read in "
        f"{found.seconds:.1f} s: "
        + (f"{len(found.problems)} damaged" if found.problems else "whole"),
    )
    if found.problems:
        _say(
            console,
            "Remove a damaged object: the next backup copies it again where the file is still as "
            "it was. Backups that name it can be put back from another copy only",
        )
    return DAMAGED if found.problems else OK


def _on_servers(manifest: Manifest, *, is_restore: bool = False) -> list[str]:
    """Say which databases a backup does not hold, and what to do about each."""
    lines = []
    if manifest.ledger and is_restore:
        lines.append(
            f"not put back: the ledger, on {manifest.ledger}. If it is lost, put its dump back "
            "(`pg_restore`). In any case type `energy-platform delivery mark-restored --at "
            f"{manifest.taken_at:%FT%TZ}` before `ui`: streams then read back and wait for the "
            "days that are lost"
        )
    elif manifest.ledger:
        lines.append(
            f"not in it: the ledger, on {manifest.ledger}; copy it with `"
            f"{dump_command(manifest.ledger, name='ledger')}`"
        )
    if manifest.catalogue and is_restore:
        lines.append(
            f"not put back: the catalogue, on {manifest.catalogue}; it makes itself from the lake"
        )
    elif manifest.catalogue:
        lines.append(
            f"not in it: the catalogue, on {manifest.catalogue}. It makes itself from the lake; "
            "what is known of days besides, such as accepted answers, is kept with `"
            f"{dump_command(manifest.catalogue, name='catalogue')}`"
        )
    return lines


def _left_out(manifest: Manifest) -> list[str]:
    lines = []
    if not manifest.derived:
        lines.append(
            "not in it: what follows from the raw days (derived tables, marts, energy.duckdb); the "
            "first refresh after a restore makes it. --derived takes it too"
        )
    lines.append("not in it: runs and switches of Dagster, and what it says of them")
    if manifest.origin != "demo":
        names = ", ".join(manifest.variables) or "none is set"
        lines.append(f"not in it: secrets and settings. Keep .env elsewhere; it sets: {names}")
    return lines


def _portfolio_lines(restored: Restored) -> list[str]:
    if restored.is_portfolio_aside:
        other = f"that of the backup is {restored.portfolio}: compare them"
        return [f"another portfolio was there and is left as it is; {other}"]
    return [] if restored.portfolio is None else [f"portfolio: {restored.portfolio}"]


def _next_steps(restored: Restored) -> list[str]:
    manifest = restored.manifest
    if manifest.origin == "demo":
        return [f"next: ENERGY_PLATFORM_DATA_DIR={restored.data_dir} {program()} ui --simulated"]
    missing = sorted({*manifest.variables} - {*Settings.load().variables()})
    steps = ["next:"]
    if missing:
        steps.append(f"  put .env back; not set here and set there: {', '.join(missing)}")
    steps.append(
        f"  {program()} doctor; then {program()} ui. The days since {manifest.taken_at:%F %R} UTC "
        "are read again by themselves"
    )
    return steps


class _Progress:
    """Says once a second how far it is, on a terminal, once it takes longer than a moment."""

    def __init__(self, done: str) -> None:
        self._done = done
        self._next = time.monotonic() + _QUIET_S

    def __call__(self, number: int, of: int) -> None:
        if time.monotonic() < self._next or not sys.stderr.isatty():
            return
        self._next = time.monotonic() + 1.0
        error_console().print(f"{self._done} {number} of {of} files", end="\r")


def _taken(taken: Taken) -> dict[str, Any]:
    manifest = taken.manifest
    return {
        "manifest": str(taken.path),
        "taken_at": manifest.taken_at.isoformat(),
        "files": len(manifest.files),
        "bytes": manifest.size,
        "new_objects": taken.new_objects,
        "new_bytes": taken.new_bytes,
        "unread_files": taken.unread,
        "seconds": round(taken.seconds, 3),
        "derived": manifest.derived,
        "ledger_on_server": manifest.ledger or None,
        "catalogue_on_server": manifest.catalogue or None,
        "variables": manifest.variables,
        "pruned": None if taken.pruned is None else taken.pruned._asdict(),
    }


def _restored(restored: Restored) -> dict[str, Any]:
    manifest = restored.manifest
    return {
        "data_dir": str(restored.data_dir),
        "taken_at": manifest.taken_at.isoformat(),
        "files": len(manifest.files),
        "bytes": manifest.size,
        "portfolio": None if restored.portfolio is None else str(restored.portfolio),
        "portfolio_aside": restored.is_portfolio_aside,
        "streams": restored.streams,
        "catalogued_files": restored.days,
        "seconds": round(restored.seconds, 3),
        "ledger_on_server": manifest.ledger or None,
        "catalogue_on_server": manifest.catalogue or None,
        "variables": manifest.variables,
    }


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - a thousand of each makes the next
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_json(found: dict[str, Any]) -> None:
    print(json.dumps(found, indent=2))  # noqa: T201
