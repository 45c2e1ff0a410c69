"""What every section of the settings is made of: how it is read, and how it says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableValueError

from energy_platform.settings.environment import SettingsError, simulation_file, variables
from energy_platform.settings.values import LOOPBACK, CaFile

T = TypeVar("T")

CA_FILE: Final = "ENERGY_PLATFORM_CA_FILE"
"""Variable of the one trust store; every section that opens connections reads it."""


CA_FILE_IS: Final = (
    "PEM file of certificate authorities that every client trusts besides the system's, such as "
    "a company's own."
)


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


class Section(BaseSettings):
    """Some variables with one prefix, read from the environment or given by keyword."""

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


class ConnectedSection(Section):
    """A section whose client speaks to another host."""

    ca_file: CaFile | None = Field(None, validation_alias=CA_FILE, description=CA_FILE_IS)


def variable(section: type[BaseSettings], field: str) -> str:
    """Return the environment variable of a section's field."""
    shared = section.model_fields[field].validation_alias
    prefix = section.model_config.get("env_prefix", "")
    return shared if isinstance(shared, str) else f"{prefix}{field}".upper()


def _problem(section: type[Section], detail: dict[str, object]) -> str:
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
