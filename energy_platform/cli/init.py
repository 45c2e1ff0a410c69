"""``energy-platform init``: from what a person has to a tested login and a first chart.

Asks for logins of the sources and of the destination, tries each at once, writes ``.env``, lets
``discover`` propose a portfolio, reads yesterday and draws its energy. Whatever was answered stays
when it is broken off, and it can be called again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pydantic import SecretStr, ValidationError

from energy_platform.cli.backfill import run_backfill
from energy_platform.cli.console import print_error, program
from energy_platform.cli.discover import run_discover
from energy_platform.cli.first_chart import print_first_chart
from energy_platform.destinations.base import destinations
from energy_platform.doctor.vendors import visit
from energy_platform.installation.env_file import env_file
from energy_platform.installation.env_writer import add_variables
from energy_platform.installation.environment import variables_set
from energy_platform.installation.origin import MARKER, origin_of
from energy_platform.portfolio import Portfolio
from energy_platform.settings import Settings, SettingsError, variable
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.registry import sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings
    from rich.console import Console

    from energy_platform.settings import PlatformSettings
    from energy_platform.sources.base import SourceSpec

_DESTINATION_LOGIN: Final = ("base_url", "username", "password")


class Questions(Protocol):
    """How a person is asked."""

    def text(self, question: str, *, secret: bool, default: str) -> str:
        """Return an answer; an empty one is the default."""

    def agreed(self, question: str, *, default: bool) -> bool:
        """Return whether the person agrees."""


class _Asked(NamedTuple):
    """Which variables a person is asked for, and what each is."""

    section: type[BaseSettings]
    fields: tuple[str, ...]


def run_init(console: Console, *, questions: Questions) -> int:
    """Ask, try, write, and show what comes of it.

    Args:
        console: Where to print.
        questions: How to ask.

    Returns:
        0 when a source is set up and what was wanted of it is done, 1 when something is not.

    Raises:
        EnvFileError: ``.env`` cannot be read or written.
        SettingsError: A variable is wrong, or the data folder holds the demo's data.
    """
    platform = Settings.load().platform
    if origin_of(platform.data_dir) == "demo":
        raise SettingsError(
            f"{platform.data_dir} holds the demo's data ({MARKER}): name another folder by "
            "ENERGY_PLATFORM_DATA_DIR, or remove it (`make clean` in a clone)"
        )

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    say(f"Answers go to {env_file().path}, which nobody but you will be able to read.")
    say(f"Data will be kept in {platform.data_dir} (ENERGY_PLATFORM_DATA_DIR names another place).")
    ready = [
        name
        for name, spec in sources().items()
        if questions.agreed(f"Do you have {spec.title}?", default=_is_set(spec))
        and _set_up_source(console, spec, platform=platform, questions=questions)
    ]
    for one in destinations().values():
        if questions.agreed(f"Shall energy be delivered to {one.title}?", default=False):
            _write(_ask(_Asked(one.settings, _DESTINATION_LOGIN), questions))
            say(f"{one.title}: `{program()} doctor` tries it once the portfolio has a stream")
    if not ready:
        say(f"No source is set up. Call `{program()} init` again when you have a login.")
        return 1
    say("\nThe portfolio: what the sources' devices are.")
    code = run_discover(
        console, ask=lambda question: questions.agreed(question.strip(), default=True)
    )
    if code:
        return code
    return _first_day(console, platform=platform, questions=questions)


def _is_set(spec: SourceSpec[Any]) -> bool:
    settings = spec.settings()
    return any(getattr(settings, field) is not None for field in spec.login)


def _set_up_source(
    console: Console, spec: SourceSpec[Any], *, platform: PlatformSettings, questions: Questions
) -> bool:
    """Ask for a source's login until it works or the person gives up; keep one that works."""
    while True:
        values = _ask(_Asked(spec.settings, spec.login), questions)
        if _try(console, spec.name, values, platform=platform):
            _write(values)
            return True
        if questions.agreed("Type it again?", default=True):
            continue
        if questions.agreed("Keep it all the same?", default=False):
            _write(values)
        return False


def _ask(asked: _Asked, questions: Questions) -> dict[str, str]:
    """Return what was answered, by variable; what is left empty stays as it is."""
    now = asked.section()
    answers = {}
    for field in asked.fields:
        info = asked.section.model_fields[field]
        value = getattr(now, field)
        is_secret = _is_secret(info)
        shown = "" if value is None or is_secret else str(value)
        kept = " (empty keeps the one that is set)" if is_secret and value is not None else ""
        what = (info.description or field).rstrip(".")
        answer = questions.text(f"  {what}{kept}", secret=is_secret, default=shown).strip()
        if answer and answer != shown:
            answers[variable(asked.section, field)] = answer
    return answers


def _is_secret(info: FieldInfo) -> bool:
    return SecretStr in {info.annotation, *getattr(info.annotation, "__args__", ())}


def _try(
    console: Console, source: str, values: Mapping[str, str], *, platform: PlatformSettings
) -> bool:
    """Log in and read the inventory; say what came of it."""
    with variables_set(values):
        try:
            found = visit(
                source,
                portfolio=Portfolio(),
                landing=platform.data_dir / "landing" / source,
                now=lambda: datetime.now(tz=UTC),
                logins=RefusedLogins.of(platform.data_dir),
                retry_login=True,
            )
        except (SettingsError, ValidationError) as error:
            print_error(console, str(error))
            return False
    for one in found.findings:
        mark = {"ok": "ok", "warn": "look", "fail": "failed"}[one.level]
        advice = f" ({one.advice})" if one.advice else ""
        console.print(f"  {mark}: {one.message}{advice}", markup=False, highlight=False)
    return found.found is not None


def _write(values: Mapping[str, str]) -> None:
    if values:
        add_variables(env_file().path, values)


def _first_day(console: Console, *, platform: PlatformSettings, questions: Questions) -> int:
    yesterday = (datetime.now(tz=UTC) - timedelta(days=1)).date().isoformat()
    if questions.agreed(f"Read {yesterday} (UTC) now, and show its energy?", default=True):
        code = run_backfill(console, vendor="all", first=yesterday, last=yesterday)
        print_first_chart(console, platform)
        if code:
            return code
    console.print(
        f"\nNext: {program()} ui    Dagster on http://127.0.0.1:3000, which goes on by itself\n"
        f"      {program()} doctor    what is missing or refused",
        markup=False,
        highlight=False,
    )
    return 0
