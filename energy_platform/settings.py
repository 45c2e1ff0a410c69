"""Every environment variable of the platform: type, default and reader.

Nothing else reads the environment. The environment comes before the env file, in every process
alike; a simulated installation reads one file of its own and neither of the two. Each vendor's
section can also be built directly, so a client never looks at the environment itself. A missing
credential raises where it is used and names the variable; a clone without any secret loads, tests
and runs the demo.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableValueError

from energy_platform.ingest.intraday import refusal
from energy_platform.installation.env_file import EnvFileError, env_file, home_folder, read_env_file
from energy_platform.memory import parse_memory
from energy_platform.web.hosts import parse_hosts, parse_prefix

T = TypeVar("T")

YEAR_S: Final = 31_536_000
"""No time limit and no pause is longer than a year: longer ones leave the calendar."""

MOST: Final = 1_000_000
"""No number of things is larger; a larger one is a typo."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that plain HTTP may be spoken to."""


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names the variable and what to do."""


def _safe_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an https:// URL")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("plain http is allowed to this machine (loopback) only; use https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("expected a URL without user, password, query or fragment")
    return url


Url = Annotated[str, AfterValidator(_safe_url)]
"""An https URL, or a plain http one on loopback."""


def _day(value: object) -> object:
    """Take days as they are written everywhere: pydantic takes a bare number for Unix seconds."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise ValueError("expected a day as YYYY-MM-DD, such as 2026-01-31")
    return found


Day = Annotated[date, BeforeValidator(_day)]
"""A day, typed YYYY-MM-DD."""


Memory = Annotated[int, BeforeValidator(lambda text: parse_memory(str(text)))]
"""An amount of memory, written with its unit; bytes."""


def _number_or_off(most: int) -> BeforeValidator:
    """Return what takes a whole number up to ``most``, or the word off; one sentence otherwise."""

    def take(value: object) -> object:
        text = str(value).strip().lower()
        if text == "off":
            return text
        is_short = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST))
        number = int(text) if is_short else -1
        if not 0 <= number <= most:
            raise ValueError(f"expected a whole number from 0 to {most}, or off")
        return number

    return BeforeValidator(take)


def _of(rule: Callable[[str], object]) -> Callable[[str], str]:
    """Return what refuses a text that a rule refuses, and keeps it as it was written."""

    def take(text: str) -> str:
        rule(text)
        return text

    return take


CA_FILE: Final = "ENERGY_PLATFORM_CA_FILE"
"""Variable of the one trust store; every section that opens connections reads it."""


def _pem_file(path: Path) -> Path:
    found = home_folder() / path.expanduser()
    try:
        text = found.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or type(error).__name__})") from None
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError("expected a PEM file of certificates")
    return found


CaFile = Annotated[Path, AfterValidator(_pem_file)]
"""A readable file with certificates in PEM."""

CA_FILE_IS: Final = (
    "PEM file of certificate authorities that every client trusts besides the system's, such as "
    "a company's own."
)

RUN_LIMIT_IS: Final = (
    "Seconds a run may spend on this source for each day it asks for, pauses included."
)

SIMULATION: Final = "ENERGY_PLATFORM_SIMULATION"
"""Variable that names the settings file of a simulated installation, for its own processes.

Where it is set, that file is all that is read. A list of variables to remove would miss the next
one that is added, and Dagster's own reader could put them back.
"""

_GIVEN: ContextVar[Mapping[str, str] | None] = ContextVar("given", default=None)
"""Variables to read in place of the process's own, while `Settings.load` is given some."""


@contextmanager
def settings_from(values: Mapping[str, str] | None) -> Iterator[None]:
    """Let every section that is built here read some values only; None changes nothing.

    Args:
        values: Variables by name, in place of the process's own and of the env file.
    """
    if values is None:
        yield
        return
    token = _GIVEN.set(values)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def simulation_file() -> Path | None:
    """Return the settings file of the simulated installation that this process belongs to."""
    named = os.environ.get(SIMULATION)
    return Path(named) if named else None


def variables() -> dict[str, str]:
    """Return the variables that are set, by lower-case name: the environment over the env file.

    An empty value counts as none.

    Raises:
        SettingsError: The env file cannot be read.
    """
    given, simulation = _GIVEN.get(), simulation_file()
    try:
        if given is not None:
            return _by_name(given)
        if simulation is not None:
            return _by_name(read_env_file(simulation).values)
        return {**_by_name(env_file().values), **_by_name(os.environ)}
    except EnvFileError as error:
        raise SettingsError(str(error)) from error


def _by_name(values: Mapping[str, str]) -> dict[str, str]:
    # Of two spellings the one in capitals, which sorts first, is kept.
    return {name.lower(): values[name] for name in sorted(values, reverse=True) if values[name]}


class _Variables(EnvSettingsSource):
    """The one source of every section."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return variables()

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        try:
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        except JSONDecodeError as error:
            what = f" — {field.description}" if field.description else ""
            raise SettingsError(
                f"{self.env_prefix}{field_name}".upper()
                + f": expected JSON ({error.msg} at character {error.pos + 1}){what}"
            ) from None


class _Section(BaseSettings):
    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
        # A section is also built by keyword from plain values in tests and tools.
        populate_by_name=True,
    )

    if not TYPE_CHECKING:  # the checker shall go on seeing the fields as keywords

        def __init__(self, **values: Any) -> None:
            """Build the section.

            Raises:
                SettingsError: One line for each wrong variable. Pydantic's own errors show the
                    values that came, secrets among them.
            """
            try:
                super().__init__(**values)
            except ValidationError as error:
                problems = [_problem(type(self), dict(detail)) for detail in error.errors()]
                raise SettingsError("\n".join(problems)) from None
            except UnreadableValueError as error:
                raise SettingsError(str(error.__cause__ or error)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not used
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the variables."""
        return (init_settings, _Variables(settings_cls))

    @model_validator(mode="after")
    def _simulated_stays_on_this_machine(self) -> Self:
        if simulation_file() is None:
            return self
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name.endswith("url") and value is not None:
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                if urlsplit(text).hostname not in LOOPBACK:
                    prefix = self.model_config.get("env_prefix", "")
                    raise ValueError(
                        f"{prefix}{name}".upper() + ": a simulated installation speaks to this "
                        "machine (loopback) only"
                    )
        return self


class _Connected(_Section):
    """A section whose client speaks to another host."""

    ca_file: CaFile | None = Field(None, validation_alias=CA_FILE, description=CA_FILE_IS)


class SourceSettings(_Connected):
    """What the settings of every source have; a source's own follow in its folder.

    The prefix of the variables is the source's name in capitals. A setting that is a secret is a
    ``SecretStr``, which no text shows.
    """

    start_day: Day | None = Field(
        None, description="First day with data, YYYY-MM-DD; empty: the first one that landed."
    )
    late_days: int = Field(1, ge=0, le=60, description="Days read again for late data.")
    run_limit_s: float = Field(1800, gt=0, le=YEAR_S, description=RUN_LIMIT_IS)


class ApiSettings(SourceSettings):
    """What the settings of a source behind an HTTP API have besides: its pace and its limits.

    Its login is its own: client id and secret, a password or a token.
    """

    rps: float = Field(5, ge=0.001, le=MOST, description="Requests per second.")
    max_in_flight: int = Field(2, ge=1, le=32, description="Requests in flight.")
    timeout_s: float = Field(60, gt=0, le=YEAR_S, description="Seconds to wait for an answer.")
    attempts: int = Field(
        5, ge=1, le=100, description="Attempts per request for faults that can heal."
    )
    backoff_s: float = Field(
        1, ge=0, le=YEAR_S, description="First pause before another attempt, s."
    )


def _basic_user(name: str) -> str:
    if not name or ":" in name:
        # RFC 7617, section 2: the colon ends the name.
        raise ValueError("expected a user name without a colon")
    return name


BasicUser = Annotated[str, AfterValidator(_basic_user)]
"""A user name that HTTP Basic can carry."""


class BasicCredential(BaseModel, frozen=True, extra="forbid"):
    """One Basic credential of a stream group."""

    username: BasicUser
    password: Annotated[SecretStr, Field(min_length=1)]


class DestinationSettings(_Connected):
    """What delivery needs to know of a destination; each adds what else its connection needs.

    Attributes:
        destination: Its name in the registry.
    """

    destination: ClassVar[str]

    base_url: Url | None = Field(
        None, description="Push URL with its final slash; no default, never production by accident."
    )
    username: BasicUser | None = Field(None, description="User of the credential named default.")
    password: SecretStr | None = Field(None, description="Password of the credential default.")
    credentials: dict[str, BasicCredential] = Field(
        default_factory=dict,
        description='Further credentials as JSON: {"group": {"username": …, "password": …}}.',
    )
    parallel_streams: int = Field(4, ge=1, le=256, description="Streams sent in parallel.")
    connect_timeout_s: float = Field(10, gt=0, le=YEAR_S, description="Seconds to connect.")
    read_timeout_s: float = Field(30, gt=0, le=YEAR_S, description="Seconds to wait for an answer.")
    max_backoff_s: float = Field(
        60, gt=0, le=YEAR_S, description="Longest pause between two attempts."
    )
    give_up_s: float = Field(
        900, ge=0, le=YEAR_S, description="A run leaves a stream after this long."
    )
    max_hold_h: float = Field(
        48, gt=0, le=876_000, description="Hours a stream waits for a missing day."
    )
    readback: bool = Field(default=True, description="Read the last packet back when unclear.")

    def all_credentials(self) -> dict[str, BasicCredential]:
        """Return every credential by name, ``default`` included when it is set."""
        found = dict(self.credentials)
        if self.username and self.password:
            found["default"] = BasicCredential(username=self.username, password=self.password)
        return found

    def required_url(self) -> str:
        """Return the address that packets go to.

        Raises:
            SettingsError: It is not set.
        """
        return required(
            self.base_url,
            variable=self.variable("base_url"),
            why="there is no default, so that nothing is pushed to production by accident",
        )

    @property
    def can_read_back(self) -> bool:
        """Whether the destination can be asked what it stored: it has an address, and may be."""
        return self.base_url is not None and self.readback

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of a setting, for messages."""
        return variable(cls, field)


def beside_or_in_package(folder: str) -> Path:
    """Return a folder of the checkout, or of the installed package, which carries it inside."""
    package = Path(__file__).parent
    checkout = package.parent / folder
    return checkout if checkout.is_dir() else package / folder


class PlatformSettings(_Section):
    """The platform itself (variables ``ENERGY_PLATFORM_*``)."""

    model_config = SettingsConfigDict(env_prefix="ENERGY_PLATFORM_")

    data_dir: Path = Field(Path("data"), description="Folder for all that a run leaves.")
    portfolio: Path = Field(Path("portfolio.yaml"), description="The portfolio file.")
    dbt_project_dir: Path = Field(
        default_factory=lambda: beside_or_in_package("dbt_models"), description="The dbt project."
    )
    docs_url: Url | None = Field(
        None,
        description="Where the site of `make docs` is served, for links in the UI; empty: the "
        "pages' path here.",
    )
    ledger_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the delivery ledger; empty: SQLite in data_dir."
    )
    catalogue_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the lake's catalogue; empty: SQLite in data_dir."
    )
    dagster_url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL of a PostgreSQL database for Dagster alone: runs, events, "
        "ticks; empty: SQLite in data_dir.",
    )
    ca_file: CaFile | None = Field(None, description=CA_FILE_IS)
    memory: Memory | None = Field(
        None,
        description="Memory that a refresh or a build may use, such as 2.5GB; empty: a third of "
        "the machine's, at least 1 GB.",
    )
    backup_folder: Path | None = Field(
        None,
        description="Folder of backups, best on another machine; set, one is taken each night.",
    )
    backup_keep: int = Field(14, ge=1, le=10_000, description="Backups that are kept.")
    partitions_from: Day | None = Field(
        None, description="First day Dagster shows, where data begin later; empty: their first."
    )
    intraday_minutes: int = Field(15, ge=5, le=720, description="Minutes between intraday runs.")
    autostart: bool = Field(
        default=True, description="Whether schedules and sensors start with the daemon."
    )
    ui_hosts: Annotated[str, AfterValidator(_of(parse_hosts))] = Field(
        "",
        description="Names by which the UI may be called besides localhost and 127.0.0.1, "
        "separated by commas: what people type, when a proxy with a login stands before it.",
    )
    ui_path_prefix: Annotated[str, AfterValidator(_of(parse_prefix))] = Field(
        "",
        description="Path that all addresses of the UI begin with, such as /energy; empty: none.",
    )

    @field_validator("intraday_minutes")
    @classmethod
    def _exact(cls, minutes: int) -> int:
        if reason := refusal(minutes):
            raise ValueError(reason)
        return minutes

    @field_validator("data_dir", "portfolio", "dbt_project_dir", "backup_folder")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            return home_folder() / path.expanduser()
        except RuntimeError as error:  # ~somebody, who does not exist
            raise ValueError(str(error)) from None

    @field_validator("ledger_url", "catalogue_url")
    @classmethod
    def _absolute_sqlite(cls, url: SecretStr | None) -> SecretStr | None:
        """Resolve a relative SQLite file like the other paths: processes differ in their folder."""
        scheme, found, file = url.get_secret_value().partition(":///") if url else ("", "", "")
        if not found or not scheme.startswith("sqlite") or file.startswith(("/", ":", "file:")):
            return url
        return SecretStr(f"{scheme}:///{home_folder() / file}")

    @field_validator("dagster_url")
    @classmethod
    def _on_a_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and _place(url) is None:
            # Without the URL: it may hold a password.
            raise ValueError("expected a SQLAlchemy URL such as postgresql://user@host/name")
        return url

    @model_validator(mode="after")
    def _dagster_has_its_own_database(self) -> Self:
        if self.dagster_url is None or self.ledger_url is None:
            return self
        # Both have a table of runs and one of the schema's version.
        if _place(self.dagster_url) == _place(self.ledger_url):
            raise ValueError(
                "ENERGY_PLATFORM_DAGSTER_URL: names the database of ENERGY_PLATFORM_LEDGER_URL; "
                "give Dagster one of its own, made by CREATE DATABASE"
            )
        return self


def _place(url: SecretStr) -> tuple[object, ...] | None:
    """Return which PostgreSQL database a URL names; None when it names none."""
    import sqlalchemy as sa  # noqa: PLC0415 - slow to import, and seldom needed here

    try:
        parsed = sa.make_url(url.get_secret_value())
    except (sa.exc.ArgumentError, ValueError):
        return None
    if parsed.get_backend_name() != "postgresql":
        return None
    schema = parsed.query.get("options")
    name = parsed.database or parsed.username
    return (parsed.host or "localhost", parsed.port or 5432, name, schema)


Minutes = Annotated[int | Literal["off"], _number_or_off(525_600)]
"""How many minutes something must last before it is told; off: it is not."""


class AlertSettings(_Connected):
    """Messages that leave the machine (variables ``ENERGY_PLATFORM_ALERT_*``)."""

    model_config = SettingsConfigDict(env_prefix="ENERGY_PLATFORM_ALERT_")

    mail_url: SecretStr | None = Field(
        None,
        description="Mail, as an apprise address: mailtos://user:password@smtp.example.com?to=….",
    )
    slack_url: SecretStr | None = Field(
        None, description="Slack: slack://TokenA/TokenB/TokenC, or the webhook's https address."
    )
    teams_url: SecretStr | None = Field(
        None, description="Teams: workflows://host/workflow/signature, or the webhook's address."
    )
    webhook_url: SecretStr | None = Field(
        None, description="Any webhook that takes JSON: jsons://host/path."
    )
    name: str | None = Field(
        None, description="Name of this installation in messages; empty: the host's name."
    )
    heartbeat_url: SecretStr | None = Field(
        None,
        description="Asked with GET while the daemon lives; the service behind it (a dead man's "
        "switch) tells you when it stops.",
    )
    heartbeat_s: int = Field(60, ge=30, le=YEAR_S, description="Seconds between two heartbeats.")
    digest_hour: Annotated[int | Literal["off"], _number_or_off(23)] = Field(
        7, description="Hour (UTC) of the daily list of what still stands, or off."
    )
    clear_min: int = Field(
        10, ge=0, le=525_600, description="Minutes a condition must be gone before the all-clear."
    )
    run_failed_min: Minutes = Field(5, description="Minutes until a failed run is told, or off.")
    run_died_min: Minutes = Field(0, description="Minutes until a run that died is told, or off.")
    source_silent_min: Minutes = Field(
        120, description="Minutes until a silent source is told, or off."
    )
    source_refused_min: Minutes = Field(
        0, description="Minutes until a refused login is told, or off."
    )
    days_missing_min: Minutes = Field(
        720, description="Minutes after its end until a missing or partial day is told, or off."
    )
    stream_stuck_min: Minutes = Field(
        60, description="Minutes until a stream that gets nothing through is told, or off."
    )
    stream_refused_min: Minutes = Field(
        0, description="Minutes until refused packets are told, or off."
    )
    check_failed_min: Minutes = Field(
        0, description="Minutes until a failed blocking check is told, or off."
    )
    figure_disputed_min: Minutes = Field(
        0, description="Minutes until refused energy of a point is told, or off."
    )
    figures_restated_min: Minutes = Field(
        0, description="Minutes until changed figures that were final are told, or off."
    )
    disk_nearly_full_min: Minutes = Field(
        0, description="Minutes until a nearly full disk is told, or off."
    )
    disk_free_mb: int = Field(
        5120, ge=0, le=1_000_000_000, description="Megabytes that must be left on the disk."
    )
    disk_days: int = Field(
        14, ge=0, le=3650, description="Days the disk must last at its recent growth."
    )
    publication_old_min: Minutes = Field(
        120, description="Minutes the published file may lag behind the lake, or off."
    )
    service_unhealthy_min: Minutes = Field(
        5,
        description="Minutes until `energy-platform health --alert` tells that the UI, the daemon "
        "or the code location is not well, or off.",
    )


class ReportSettings(_Connected):
    """The reports, and who gets them by mail (variables ``ENERGY_PLATFORM_REPORT_*``)."""

    model_config = SettingsConfigDict(env_prefix="ENERGY_PLATFORM_REPORT_")

    language: str = Field(
        "en", description="Language of the reports: a catalogue in energy_platform/report/texts."
    )
    mail: Literal["off", "weekly", "monthly"] = Field(
        "off",
        description="Whether reports are sent: off, weekly or monthly, when the period is over.",
    )
    url: SecretStr | None = Field(
        None,
        description="Who gets them, as an apprise address; empty: those of the alerts' mail.",
    )
    after_days: int = Field(
        3,
        ge=0,
        le=60,
        description="Days after the end of the period until they are sent although not all is "
        "final; the mail says what is missing.",
    )


class Settings(BaseModel, frozen=True):
    """All sections together."""

    platform: PlatformSettings
    alerts: AlertSettings
    reports: ReportSettings
    sources: dict[str, SerializeAsAny[SourceSettings]]
    destinations: dict[str, SerializeAsAny[DestinationSettings]]

    def variables(self) -> list[str]:
        """Return the names of the variables that are set, without their values, sorted."""
        names = {
            variable(type(section), field)
            for section in self.all_sections()
            for field in section.model_fields_set
            if field in type(section).model_fields
        }
        return sorted(names)

    def all_sections(self) -> tuple[BaseSettings, ...]:
        """Return every section, those of the sources and the destinations among them."""
        return (
            self.platform,
            self.alerts,
            self.reports,
            *self.sources.values(),
            *self.destinations.values(),
        )

    @classmethod
    def load(cls, given: Mapping[str, str] | None = None) -> Self:
        """Read the variables of this process, or those that are given and no others.

        Raises:
            SettingsError: Names every wrong variable, what came and what is expected.
        """
        built: dict[str, _Section] = {}
        problems: dict[str, None] = {}
        with settings_from(given):
            for name, section in sections().items():
                try:
                    built[name] = section()
                except SettingsError as error:
                    # An unreadable env file is said once, not by every section.
                    problems |= dict.fromkeys(str(error).splitlines())
        if problems:
            # A variable that several sections read is named once.
            raise SettingsError("\n".join(dict.fromkeys(problems)))
        own: dict[str, Any] = {name: built.pop(name) for name in ("platform", "alerts", "reports")}
        for group, kind in (("sources", SourceSettings), ("destinations", DestinationSettings)):
            own[group] = {name: one for name, one in built.items() if isinstance(one, kind)}
        return cls.model_validate(own)


def sections() -> dict[str, type[_Section]]:
    """Return every section by name, in the order of ``.env.example``; others by their own name.

    Raises:
        SettingsError: The registration of a source or a destination is not complete.
    """
    # Here, because the settings of both are made of what this module has.
    from energy_platform.destinations.base import destinations  # noqa: PLC0415
    from energy_platform.sources.registry import sources  # noqa: PLC0415

    return {
        "platform": PlatformSettings,
        **{name: source.settings for name, source in sources().items()},
        "alerts": AlertSettings,
        "reports": ReportSettings,
        **{name: target.settings for name, target in destinations().items()},
    }


def variable(section: type[BaseSettings], field: str) -> str:
    """Return the environment variable of a section's field."""
    shared = section.model_fields[field].validation_alias
    prefix = section.model_config.get("env_prefix", "")
    return shared if isinstance(shared, str) else f"{prefix}{field}".upper()


def _problem(section: type[_Section], detail: dict[str, object]) -> str:
    """One line for one wrong variable, without the value of a secret."""
    location = detail["loc"]
    said = str(detail["msg"]).removeprefix("Value error, ")
    if not isinstance(location, tuple) or not location:
        return said
    field = str(location[0])
    field = next((name for name in section.model_fields if variable(section, name) == field), field)
    info = section.model_fields.get(field)
    is_secret = info is not None and (
        "SecretStr" in str(info.annotation) or "Credential" in str(info.annotation)
    )
    came = "" if is_secret else f" (came: {detail.get('input')!r})"
    what = f" — {info.description}" if info is not None and info.description else ""
    prefix = section.model_config.get("env_prefix", "")
    name = variable(section, field) if info is not None else f"{prefix}{field}".upper()
    # Within a value only names and places are said, such as the group of a credential.
    place = "".join(f"{one}: " for one in location[1:])
    return f"{name}: {place}{said}{came}{what}"


def required(value: T | None, *, variable: str, why: str) -> T:
    """Return a setting that this use cannot do without.

    Raises:
        SettingsError: It is not set; the message names the variable.
    """
    if value is None:
        raise SettingsError(f"{variable} is not set: {why}. Set it in .env or the environment.")
    return value
