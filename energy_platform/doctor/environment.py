"""Checks of the settings: every variable readable, none misspelt, credentials complete."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.doctor.check_result import fail, ok, warn
from energy_platform.installation.env_file import ENV_FILE, HOME, EnvFileError, env_file
from energy_platform.installation.origin import (
    DataFolderError,
    OriginError,
    origin_of,
    simulated_installation,
)
from energy_platform.settings import SIMULATION, Settings, SettingsError, sections, variable
from energy_platform.sources.registry import sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.schemas import Vendor

CHECK: Final = "settings"

INTERNAL: Final = frozenset(
    {
        ENV_FILE,
        HOME,
        SIMULATION,
        "ENERGY_PLATFORM_INSTANCE",
        "ENERGY_PLATFORM_WAREHOUSE",
        "ENERGY_PLATFORM_WORK_FOLDER",
        "ENERGY_PLATFORM_DUCKDB_MEMORY",
    }
)
"""Variables that say where settings are, or that the platform sets for what it starts."""


class Environment(NamedTuple):
    """The settings as far as they could be read.

    Attributes:
        settings: All of them; None when one is wrong.
        complete: Vendors with every credential.
        findings: What the check says.
        idle_demo: Whether these are the demo's data, and no vendor is there to be asked.
        simulated: Variables of the demo while its simulated vendors run; None otherwise.
    """

    settings: Settings | None
    complete: tuple[Vendor, ...]
    findings: list[CheckResult]
    idle_demo: bool = False
    simulated: Mapping[str, str] | None = None


def check_environment(names: Iterable[str]) -> Environment:
    """Check the settings.

    Args:
        names: Names of the variables that are set, of the environment and of ``.env``.
    """
    findings = [*_env_file(), *_misspelt(names)]
    try:
        settings = Settings.load()
    except SettingsError as error:
        findings += [
            fail(CHECK, "", problem, "Correct it in .env or the environment")
            for problem in str(error).splitlines()
        ]
        return Environment(None, (), findings)
    data_dir = settings.platform.data_dir
    simulated: Mapping[str, str] | None = None
    try:
        is_demo = origin_of(data_dir) == "demo"
        if is_demo and not any(
            source.is_configured(settings.sources[name]) for name, source in sources().items()
        ):
            demo = simulated_installation(data_dir)
            message = "running" if demo.simulated_now else "not running, nothing is read"
            message = f"{data_dir} holds the demo's data; its simulated vendors are {message}"
            findings.append(ok(CHECK, "", message))
            if not demo.simulated_now:
                return Environment(demo.settings, (), findings, idle_demo=True)
            settings, simulated = demo.settings, demo.values
        elif is_demo:
            findings.append(
                warn(
                    CHECK,
                    "",
                    f"{data_dir} holds the demo's data, and real vendors have credentials",
                    "Set ENERGY_PLATFORM_DATA_DIR to another folder, or run `make clean`",
                )
            )
    except (DataFolderError, OriginError, SettingsError) as error:
        findings.append(fail(CHECK, "", str(error), "Correct it, or remove the data folder"))
        return Environment(None, (), findings)
    complete, about_vendors = _credentials(settings)
    return Environment(settings, complete, findings + about_vendors, simulated=simulated)


def _env_file() -> Iterator[CheckResult]:
    """Look at the env file itself: who can read it, and lines that are not what they seem."""
    try:
        read = env_file()
    except EnvFileError:
        return  # loading the settings says so
    if (mode := read.mode_problem()) is not None:
        yield warn(CHECK, "", mode, f"It holds passwords: `chmod 600 {read.path}`")
    for problem in read.problems:
        judge = fail if problem.lost else warn
        yield judge(CHECK, "", f"{read.path}, line {problem.line}: {problem.message}", "Correct it")


def _credentials(settings: Settings) -> tuple[tuple[Vendor, ...], list[CheckResult]]:
    """Return the vendors with every credential, and what is to be said of each."""
    complete: list[Vendor] = []
    findings: list[CheckResult] = []
    for vendor, source in sources().items():
        missing = source.missing(settings.sources[vendor])
        if not missing:
            complete.append(vendor)
            findings.append(ok(CHECK, vendor, "all credentials are set"))
        elif len(missing) == len(source.login):
            findings.append(ok(CHECK, vendor, "no credentials; this vendor is not used"))
        else:
            findings.append(
                fail(
                    CHECK,
                    vendor,
                    f"{', '.join(missing)} not set",
                    "Set them in .env or the environment, or remove the others",
                )
            )
    if not complete:
        findings.append(
            warn(
                CHECK,
                "",
                "no vendor has its credentials",
                "Fill .env as .env.example shows; `energy-platform demo` needs none",
            )
        )
    return tuple(complete), findings


def _misspelt(names: Iterable[str]) -> Iterator[CheckResult]:
    """Find variables that begin like ours and that nothing reads."""
    known = {
        variable(section, field)
        for section in sections().values()
        for field in section.model_fields
    }
    prefixes = {name.rpartition("_")[0].split("_")[0] + "_" for name in known} - {"ENERGY_"}
    for name in sorted(set(names)):
        upper = name.upper()
        ours = any(upper.startswith(prefix) for prefix in (*prefixes, "ENERGY_PLATFORM_"))
        if ours and upper not in known and upper not in INTERNAL:
            close = get_close_matches(upper, known, n=1)
            yield warn(
                CHECK,
                "",
                f"{upper} is set and nothing reads it",
                f"Did you mean {close[0]}?" if close else "Remove it",
            )
