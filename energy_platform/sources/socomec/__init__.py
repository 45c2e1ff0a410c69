"""Socomec SoData: Keycloak login, read-only API, raw frames."""

from energy_platform.sources.socomec.client import SocomecClient
from energy_platform.sources.socomec.models import SeriesKey

__all__ = ["SeriesKey", "SocomecClient"]
