"""The dbt project as runs use it: in a folder that can be written, and parsed.

In a checkout that is ``dbt_models``, parsed by ``make setup``. An installed package carries the
project among its own files, which may be read-only: it is copied into the data folder and parsed
there, once per version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from filelock import FileLock

import energy_platform
from energy_platform.settings import SettingsError
from energy_platform.warehouse.dims import project_digest, project_files
from energy_platform.warehouse.errors import WarehouseError

DBT: Final = str(Path(sys.executable).with_name("dbt"))
"""dbt as it was installed next to this interpreter, whatever the PATH says."""

PACKAGED: Final = Path(energy_platform.__file__).parent / "dbt_models"
"""The project in an installed package; there is none in a checkout."""

_DIGEST: Final = "PROJECT_DIGEST"
"""File next to the manifest that says what it was parsed from: times of installed files do not."""

_MOST_SAID: Final = 600
"""Characters of what dbt says that a message holds; its reason stands at the end."""


def usable_project(project: Path, *, data_dir: Path) -> Path:
    """Return the folder of the dbt project that runs work with; it is parsed.

    Args:
        project: The project of the settings.
        data_dir: Where an installed package's project is copied to.

    Raises:
        SettingsError: The project of a checkout was not parsed since its files changed.
        WarehouseError: The copy of an installed package's project cannot be parsed.
    """
    if not _is_packaged(project):
        _check_parsed(project)
        return project
    wanted = f"{project_digest(PACKAGED)} dbt {version('dbt-core')} {version('dbt-duckdb')}"
    copy = folder_of(project, data_dir=data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(data_dir / ".dbt_models.lock"):
        digest = copy / "target" / _DIGEST
        if not digest.exists() or digest.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(PACKAGED, copy)
            _parse(copy)
            digest.write_text(wanted, encoding="utf-8")
    return copy


def folder_of(project: Path, *, data_dir: Path) -> Path:
    """Return the folder that `usable_project` makes usable, whether or not it is already."""
    return data_dir / "dbt_models" if _is_packaged(project) else project


def manifest_of(project: Path) -> Path:
    """Return what dbt made of a project's files."""
    return project / "target" / "manifest.json"


def _is_packaged(project: Path) -> bool:
    return project.resolve() == PACKAGED.resolve()


def _check_parsed(project: Path) -> None:
    manifest = manifest_of(project)
    if not manifest.exists():
        raise SettingsError(f"{manifest} does not exist; parse the dbt project with `make setup`")
    parsed_at = manifest.stat().st_mtime
    changed = [path for path in project_files(project) if path.stat().st_mtime > parsed_at]
    if changed:
        raise SettingsError(
            f"{manifest} is older than {changed[0].relative_to(project)}: the code was changed or "
            "upgraded; parse the dbt project again with `make setup`"
        )


def _parse(project: Path) -> None:
    folder = str(project)
    command = [DBT, "parse", "--quiet", "--project-dir", folder, "--profiles-dir", folder]
    done = subprocess.run(  # noqa: S603 - dbt of our own environment
        [*command, "--log-path", str(project / "logs")],
        env={**os.environ, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())[-_MOST_SAID:]
        raise WarehouseError(f"the dbt project in {project} cannot be parsed: {said}")
