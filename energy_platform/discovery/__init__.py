"""From the vendors' inventories to a portfolio: guesses with reasons, for an operator to review.

Each vendor has rules of its own; what its words do not say stays unknown. An existing portfolio
is only ever added to: every byte of it stays.
"""

from energy_platform.discovery.propose import DiscoveryError, Proposal, confirmations, propose
from energy_platform.discovery.read import ReadInventories, read_inventories
from energy_platform.discovery.vendor_inventory import (
    TO_CONFIRM,
    ProposedDevice,
    ProposedPoint,
    ProposedSite,
    VendorInventory,
)

__all__ = [
    "TO_CONFIRM",
    "DiscoveryError",
    "Proposal",
    "ProposedDevice",
    "ProposedPoint",
    "ProposedSite",
    "ReadInventories",
    "VendorInventory",
    "confirmations",
    "propose",
    "read_inventories",
]
