"""The variables ``SKYCENTRICS_*``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from energy_platform.settings import MOST, YEAR_S, ApiSettings, Url


class SkycentricsSettings(ApiSettings):
    """SkyCentrics cloud (variables ``SKYCENTRICS_*``)."""

    model_config = SettingsConfigDict(env_prefix="SKYCENTRICS_")

    api_url: Url = Field("https://api.skycentrics.com/api", description="API base URL.")
    client_id: str | None = Field(None, description="Client of the account.")
    client_secret: SecretStr | None = Field(None, description="Secret that signs requests.")
    device_ids: str = Field("", description="Gateway ids, comma separated; empty lists them.")
    late_days: int = Field(1, ge=0, le=60, description="Days folded again for late data.")
    poll_s: int = Field(60, ge=10, le=YEAR_S, description="Seconds between two polls.")
    history: Literal["auto", "on", "off"] = Field("auto", description="Use of the history call.")
    history_gap: int = Field(1, ge=1, le=MOST, description="Gap between history records, minutes.")
    history_window_s: int = Field(
        86_400, ge=3600, le=YEAR_S, description="History window per request, s."
    )
    timeout_s: float = Field(30, gt=0, le=YEAR_S, description="Seconds to wait for an answer.")
    attempts: int = Field(
        3, ge=1, le=100, description="Attempts per request for faults that can heal."
    )
