"""The variables ``BELIMO_*``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from energy_platform.settings import MOST, RUN_LIMIT_IS, YEAR_S, ApiSettings, Url
from energy_platform.sources.belimo.resolution import read_resolution


class BelimoSettings(ApiSettings):
    """Belimo Cloud (variables ``BELIMO_*``)."""

    model_config = SettingsConfigDict(env_prefix="BELIMO_")

    api_url: Url = Field("https://cloud.belimo.com/api/v3", description="API base URL.")
    token_url: Url = Field("https://id.belimo.com/oauth/token", description="Token endpoint.")
    audience: str = Field("https://api.cloud.belimo.com/", description="OAuth audience.")
    scope: str = Field(
        "public.read offline_access read:dataprofile", description="OAuth scopes, reading only."
    )
    client_id: str | None = Field(None, description="Client id of the Developer Space.")
    client_secret: SecretStr | None = Field(None, description="Client secret.")
    username: str | None = Field(None, description="BelimoID user.")
    password: SecretStr | None = Field(None, description="Password of that user.")
    late_days: int = Field(2, ge=0, le=60, description="Days read again for late data.")
    page_size: int = Field(500, ge=1, le=2000, description="Devices per page.")
    sample_page_size: int = Field(2000, ge=1, le=2000, description="Raw samples per page.")
    rps: float = Field(2, ge=0.001, le=MOST, description="Requests per second of the account.")
    run_limit_s: float = Field(3600, gt=0, le=YEAR_S, description=RUN_LIMIT_IS)
    token_margin_s: float = Field(
        60, ge=0, le=YEAR_S, description="Seconds a token is renewed early."
    )
    history_mode: Literal["raw", "timeseries"] = Field("raw", description="Source of history.")
    resolution: str = Field(
        "15m",
        description="Resolution in timeseries mode: 1s to 1h, 1d, 7d, or points per day.",
    )
    max_points: int = Field(5000, ge=1, le=10_000, description="Points per timeseries request.")

    @field_validator("resolution")
    @classmethod
    def _is_a_resolution(cls, text: str) -> str:
        read_resolution(text)
        return text
