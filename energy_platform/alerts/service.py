"""Tells when the platform itself stops being well, and when it is back.

The daemon watches everything else (``watch``) and cannot watch itself, so a timer of the machine
asks for this. What was told stands in notes of the store, apart from the daemon's conditions,
which end when the daemon no longer sees them.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from energy_platform.alerts.conditions import Condition
from energy_platform.alerts.policy import waits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.alerts.channels import Channel
    from energy_platform.alerts.messages import Message, Writer
    from energy_platform.alerts.store import AlertStore
    from energy_platform.settings import AlertSettings

_NOTE: Final = "service_unhealthy"

_TODO: Final = (
    "`energy-platform health` says how it is now; see the service's log and ui.log in "
    "data/dagster, and start the service again"
)


def watch_service(
    store: AlertStore,
    *,
    trouble: str,
    settings: AlertSettings,
    writer: Writer,
    channels: Sequence[Channel],
    now: datetime,
) -> list[Message]:
    """Note whether the platform is well and queue the message that follows from it.

    Args:
        store: What was told before.
        trouble: What is wrong; empty when all is well.
        settings: How long it must last before it is told.
        writer: Puts it into words.
        channels: Where messages go.
        now: The present.

    Returns:
        The messages that were queued.
    """
    names = [channel.name for channel in channels]
    after = waits(settings)["service_unhealthy"]
    with store.transaction() as change:
        before = json.loads(change.noted(_NOTE) or "{}")
        if not trouble:
            change.note(_NOTE, "{}")
            told = before.get("told")
            messages = (
                writer.over([_condition(told, since=before["since"])], now=now) if told else []
            )
        else:
            noted = {"since": now.isoformat(), "told": ""} | before
            age = now - datetime.fromisoformat(noted["since"])
            is_due = names and not noted["told"] and after is not None and age >= after
            if is_due:
                noted["told"] = trouble
            messages = writer.begun([_condition(trouble, since=noted["since"])]) if is_due else []
            change.note(_NOTE, json.dumps(noted))
        for message in messages:
            change.queue(message, channels=names, now=now)
    return messages


def _condition(what: str, *, since: str) -> Condition:
    return Condition(
        kind="service_unhealthy",
        subject="UI and daemon",
        what=what,
        since=datetime.fromisoformat(since),
        todo=_TODO,
    )
