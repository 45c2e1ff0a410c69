"""The names of the asset groups: the way in, then in the order data flows through them."""

from typing import Final

from energy_platform.schemas import Vendor
from energy_platform.sources.registry import sources

HOME: Final = "home"
RAW: Final[dict[Vendor, str]] = {name: source.group for name, source in sources().items()}
CORE: Final = "core"
MARTS: Final = "marts"
DELIVERY: Final = "delivery"
REPORTS: Final = "reports"
