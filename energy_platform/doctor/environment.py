"""Checks of the settings: every variable readable, none misspelt, credentials complete."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic_settings import BaseSettings

from energy_platform.doctor.finding import fail, ok, warn
from energy_platform.settings import Settings, SettingsError, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from energy_platform.doctor.finding import Finding
    from energy_platform.schemas import Vendor

CHECK: Final = "settings"

NEEDED: Final[Mapping[Vendor, tuple[str, ...]]] = {
    "socomec": ("client_id", "client_secret", "username", "password"),
    "belimo": ("client_id", "client_secret", "username", "password"),
    "skycentrics": ("client_id", "client_secret"),
}
"""Settings without which nothing can be read from a vendor."""

INTERNAL: Final = frozenset({"ENERGY_PLATFORM_WAREHOUSE"})
"""Variables that the platform sets for dbt."""


class Environment(NamedTuple):
    """The settings as far as they could be read.

    Attributes:
        settings: All of them; None when one is wrong.
        complete: Vendors with every credential.
        findings: What the check says.
    """

    settings: Settings | None
    complete: tuple[Vendor, ...]
    findings: list[Finding]


def check_environment(names: Iterable[str]) -> Environment:
    """Check the settings.

    Args:
        names: Names of the variables that are set, of the environment and of ``.env``.
    """
    findings = list(_misspelt(names))
    try:
        settings = Settings.load()
    except SettingsError as error:
        findings += [
            fail(CHECK, "", problem, "Correct it in .env or the environment")
            for problem in str(error).splitlines()
        ]
        return Environment(None, (), findings)
    complete: list[Vendor] = []
    for vendor, needed in NEEDED.items():
        section = getattr(settings, vendor)
        missing = [f"{vendor}_{name}".upper() for name in needed if getattr(section, name) is None]
        if not missing:
            complete.append(vendor)
            findings.append(ok(CHECK, vendor, "all credentials are set"))
        elif len(missing) == len(needed):
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
                "Fill .env as .env.example shows; `make demo` needs none",
            )
        )
    return Environment(settings, tuple(complete), findings)


def _misspelt(names: Iterable[str]) -> Iterator[Finding]:
    """Find variables that begin like ours and that nothing reads."""
    known = {
        variable(info.annotation, field)
        for info in Settings.model_fields.values()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseSettings)
        for field in info.annotation.model_fields
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
