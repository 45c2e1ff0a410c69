"""A proposal for the portfolio as JSON: one shape, whatever proposes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.discovery import Proposal, ReadInventories


def print_proposal(path: Path, proposal: Proposal, *, read: ReadInventories | None = None) -> None:
    """Print what would change; nothing is written.

    Args:
        path: The portfolio.
        proposal: What would change.
        read: What the vendors answered, where they were asked.
    """
    shown = {
        "portfolio": str(path),
        "changes": proposal.changes,
        "vendors": {
            vendor: {
                "devices": len(found.devices),
                "points": sum(len(device.points) for device in found.devices.values()),
            }
            for vendor, found in (read.found if read else {}).items()
        },
        "not_read": {vendor: str(why) for vendor, why in (read.failed if read else {}).items()},
        "not_asked": list(read.skipped if read else ()),
        "new_sites": list(proposal.sites),
        "new_types": list(proposal.types),
        "new_devices": list(proposal.devices),
        "points_as_comments": dict(proposal.proposed),
        "vanished": list(proposal.vanished),
        "remarks": list(proposal.remarks),
        "diff": proposal.diff(name=path.name),
    }
    print(json.dumps(shown, indent=2))  # noqa: T201
