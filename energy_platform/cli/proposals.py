"""A proposal for the portfolio as JSON: one shape, whatever proposes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from energy_platform.cli.portfolio_changes import Proposed
    from energy_platform.discovery import Proposal, ReadInventories


def print_proposal(
    path: Path,
    proposal: Proposed,
    *,
    remarks: Sequence[str],
    read: ReadInventories | None = None,
    inventory: Proposal | None = None,
) -> None:
    """Print what would change; nothing is written.

    Args:
        path: The portfolio.
        proposal: What would change.
        remarks: What somebody should know, one sentence each.
        read: What the vendors answered, where they were asked.
        inventory: The proposal that was made of their inventories, where one was.
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
        "new_sites": list(inventory.sites if inventory else ()),
        "new_types": list(inventory.types if inventory else ()),
        "new_devices": list(inventory.devices if inventory else ()),
        "points_as_comments": dict(inventory.proposed if inventory else {}),
        "vanished": list(inventory.vanished if inventory else ()),
        "remarks": list(remarks),
        "diff": list(proposal.diff(name=path.name)),
    }
    print(json.dumps(shown, indent=2))  # noqa: T201
