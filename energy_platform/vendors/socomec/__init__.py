"""Socomec SoData: Keycloak login, read-only API, raw frames."""

from energy_platform.vendors.socomec.client import SocomecClient
from energy_platform.vendors.socomec.models import SeriesKey

__all__ = ["SeriesKey", "SocomecClient"]
