"""SkyCentrics cloud API: signed requests, newest data, history where the account has it."""

from energy_platform.sources.skycentrics.client import SkycentricsClient
from energy_platform.sources.skycentrics.landing import Landing

__all__ = ["Landing", "SkycentricsClient"]
