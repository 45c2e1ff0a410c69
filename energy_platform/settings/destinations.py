"""What the settings of all destinations have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, SecretStr

from energy_platform.settings.section import ConnectedSection, required, variable
from energy_platform.settings.values import YEAR_S, BasicUser, Url


class BasicCredential(BaseModel, frozen=True, extra="forbid"):
    """One Basic credential of a stream group."""

    username: BasicUser
    password: Annotated[SecretStr, Field(min_length=1)]


class DestinationSettings(ConnectedSection):
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
