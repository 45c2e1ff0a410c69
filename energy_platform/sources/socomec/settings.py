"""The variables ``SOCOMEC_*``."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from energy_platform.settings import MOST, YEAR_S, ApiSettings, Url


class SocomecSettings(ApiSettings):
    """Socomec SoData behind Keycloak (variables ``SOCOMEC_*``)."""

    model_config = SettingsConfigDict(env_prefix="SOCOMEC_")

    api_url: Url = Field("https://api.iot.socomec.com/", description="API base URL.")
    keycloak_url: Url = Field("https://connect.socomec.com/", description="Keycloak base URL.")
    realm: str = Field("Socomec", description="Keycloak realm.")
    client_id: str | None = Field(None, description="Client id issued by Socomec.")
    client_secret: SecretStr | None = Field(None, description="Client secret issued by Socomec.")
    username: str | None = Field(None, description="SoLive Pro user (e-mail).")
    password: SecretStr | None = Field(None, description="Password of that user.")
    ca_uuid: str | None = Field(None, description="Corporate account UUID; empty reads all.")
    page_size: int = Field(50, ge=1, le=500, description="Records per listing page (take).")
    max_window_s: int = Field(
        86_400, ge=900, le=YEAR_S, description="Longest raw window per request, s."
    )
    max_series: int = Field(20, ge=1, le=MOST, description="Series per raw request.")
    oauth_scope: str = Field("openid", description="OAuth scope.")
    token_margin_s: float = Field(
        30, ge=0, le=YEAR_S, description="Seconds a token is renewed early."
    )
    datapoints_path: str = Field("datapoints", description="Last part of the history path.")
