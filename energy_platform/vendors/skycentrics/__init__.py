"""SkyCentrics cloud API: signed requests, newest data, history where the account has it."""

from energy_platform.vendors.skycentrics.client import SkycentricsClient
from energy_platform.vendors.skycentrics.landing import Landing

__all__ = ["Landing", "SkycentricsClient"]
