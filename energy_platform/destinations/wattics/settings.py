"""What can be set for the delivery to Wattics."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from energy_platform.settings import DestinationSettings


class WatticsSettings(DestinationSettings):
    """Wattics data collection (variables ``WATTICS_*``)."""

    model_config = SettingsConfigDict(env_prefix="WATTICS_")
    destination: ClassVar[str] = "wattics"

    content_type: str = Field("application/json", description="Content type of a packet.")
    success_codes: tuple[int, ...] = Field((200, 201, 202, 204), description="Stored at Wattics.")

    @field_validator("success_codes")
    @classmethod
    def _mean_success(cls, codes: tuple[int, ...]) -> tuple[int, ...]:
        """Refuse what would let a refused packet count as stored, or none ever."""
        if not codes or not all(
            HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES for code in codes
        ):
            raise ValueError("expected statuses from 200 to 299, such as [200, 204]")
        return codes
