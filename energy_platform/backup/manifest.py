"""What one backup holds: ``backups/<instant>.json``, written last and by a rename."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from energy_platform.backup.errors import BackupError
from energy_platform.lake.files import put_in_place

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "backups"
FORMAT: Final = 1
"""Of manifests; one with a higher number is of a newer version of the platform."""

_NAME: Final = re.compile(r"\d{8}T\d{6}\.\d{6}Z\.json")
_INSTANT: Final = "%Y%m%dT%H%M%S.%fZ"


class ManifestFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a backup.

    Attributes:
        name: ``data/…`` or ``portfolio/…``, with slashes.
        digest: SHA-256 of its content, the name of its object.
        size: Bytes.
        state: What the file system said of the file that it was read from, so that the next backup
            need not read it again; empty where that cannot be told.
    """

    name: str
    digest: str
    size: int
    state: str = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One backup.

    Attributes:
        format: Of this manifest.
        taken_at: When it began: what it holds is at least as new.
        platform_version: Version of the platform that took it.
        origin: Whose data these are; None where the folder did not say.
        data_dir: The folder that was copied.
        portfolio: Name of the portfolio's main file in it; None where there was none.
        ledger: The server of the ledger, which is not in the backup; empty: it is a file in it.
        catalogue: The same of the catalogue.
        derived: Whether what follows from the raw days is in it.
        variables: Names of the variables that were set; a backup holds none of their values.
        files: What it holds, by name.
        checksum: SHA-256 of all of the above.
    """

    format: int
    taken_at: datetime
    platform_version: str
    origin: Literal["demo", "live"] | None
    data_dir: str
    portfolio: str | None
    ledger: str
    catalogue: str
    derived: bool
    variables: tuple[str, ...]
    files: tuple[ManifestFile, ...]
    checksum: str = ""

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(one.size for one in self.files)


def manifest_path(folder: Path, taken_at: datetime) -> Path:
    """Return where the manifest of a backup lies."""
    return folder / FOLDER / f"{taken_at.astimezone(UTC).strftime(_INSTANT)}.json"


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Put the manifest of a backup in place, durably: from then on it is one."""
    path = manifest_path(folder, manifest.taken_at)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    whole = msgspec.structs.replace(manifest, checksum=_checksum(manifest))
    try:
        descriptor = os.open(staged, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(whole), indent=1))
        put_in_place(staged, path)
    finally:
        staged.unlink(missing_ok=True)
    return path


def read_manifest(path: Path) -> Manifest:
    """Read a manifest and check that it is whole.

    Raises:
        BackupError: It is damaged, or of a newer version.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BackupError(f"{path}: there is no such backup") from None
    try:
        found = msgspec.json.decode(content, type=_Format).format
        if found > FORMAT:
            raise BackupError(
                f"{path}: was written by a newer version of the platform (format {found}, this one "
                f"knows {FORMAT}): update the platform"
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"{path}: the manifest is damaged ({error}); choose another") from error
    if manifest.checksum != _checksum(manifest):
        raise BackupError(f"{path}: the manifest was changed after it was written; choose another")
    return manifest


class _Format(msgspec.Struct):
    format: int


def manifests(folder: Path) -> list[Path]:
    """Return the manifests of a backup folder, oldest first."""
    try:
        names = sorted(path for path in (folder / FOLDER).iterdir() if _NAME.fullmatch(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return names


def taken_at(path: Path) -> datetime:
    """Return when the backup of a manifest was taken, by its name."""
    return datetime.strptime(path.stem, _INSTANT).replace(tzinfo=UTC)


def find_manifest(folder: Path, *, at: datetime | None = None) -> Path:
    """Return the newest manifest, or the newest that was taken at an instant or before.

    Raises:
        BackupError: There is none.
    """
    found = manifests(folder)
    if not found:
        raise BackupError(f"{folder}: holds no backup; expected {folder / FOLDER}/<instant>.json")
    if at is None:
        return found[-1]
    # An instant is shown, and typed, without its fraction of a second.
    before = [path for path in found if taken_at(path).replace(microsecond=0) <= at]
    if not before:
        raise BackupError(
            f"{folder}: no backup was taken before {at.astimezone(UTC):%F %T} UTC; the oldest is "
            f"of {taken_at(found[0]):%F %T} UTC"
        )
    return before[-1]


def _checksum(manifest: Manifest) -> str:
    bare = msgspec.structs.replace(manifest, checksum="")
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()
