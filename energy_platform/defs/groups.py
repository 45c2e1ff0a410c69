"""The names of the asset groups, in the order data flows through them."""

from typing import Final

from energy_platform.schemas import Vendor

RAW: Final[dict[Vendor, str]] = {
    "socomec": "raw_socomec",
    "belimo": "raw_belimo",
    "skycentrics": "raw_skycentrics",
}
CORE: Final = "core"
MARTS: Final = "marts"
DELIVERY: Final = "delivery"
