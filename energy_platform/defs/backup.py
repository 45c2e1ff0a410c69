"""A backup each night, where a folder for it is set."""

import dagster as dg

from energy_platform.backup import take_backup
from energy_platform.settings import Settings


@dg.op(description="Copy what cannot be made again into ENERGY_PLATFORM_BACKUP_FOLDER.")
def copy_installation(context: dg.OpExecutionContext) -> None:
    """Take a backup and drop old ones.

    Raises:
        Failure: No folder is set.
        BackupError: It could not be made; says what to do.
    """
    settings = Settings.load()
    folder = settings.platform.backup_folder
    if folder is None:
        raise dg.Failure(
            "ENERGY_PLATFORM_BACKUP_FOLDER is not set: say where backups are kept",
            allow_retries=False,
        )
    taken = take_backup(settings, folder, keep=settings.platform.backup_keep)
    manifest = taken.manifest
    context.log.info(
        "%s: %d files, %d bytes; %d contents of %d bytes were new; %.1f s",
        taken.path,
        len(manifest.files),
        manifest.size,
        taken.new_objects,
        taken.new_bytes,
        taken.seconds,
    )
    for name in filter(None, (manifest.ledger, manifest.catalogue)):
        context.log.warning("not in the backup: the database on %s; copy it with pg_dump", name)


@dg.job(description="Copy what cannot be made again into ENERGY_PLATFORM_BACKUP_FOLDER.")
def backup() -> None:
    """Back the installation up."""
    copy_installation()
