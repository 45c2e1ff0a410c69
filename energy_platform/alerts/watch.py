"""From what holds now to messages, each once: when it begins, when it is over, once a day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.alerts.channels import ChannelError
from energy_platform.alerts.conditions import EVENTS, is_due
from energy_platform.alerts.policy import waits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from energy_platform.alerts.channels import Channel
    from energy_platform.alerts.conditions import Condition
    from energy_platform.alerts.messages import Message, Writer
    from energy_platform.alerts.store import AlertStore, Sending
    from energy_platform.settings import AlertSettings

LAST_DIGEST: Final = "last_digest_day"


def watch(
    store: AlertStore,
    conditions: Sequence[Condition],
    *,
    settings: AlertSettings,
    writer: Writer,
    channels: Sequence[Channel],
    now: datetime,
) -> list[Message]:
    """Note what holds now and queue the messages that follow from it.

    A condition is reported once it has lasted as long as its kind's setting asks for, and is over
    once it has not held for ``clear_min``: one that comes and goes is reported once. Without a
    channel nothing counts as reported, so that the first channel hears of all that stands.

    Args:
        store: What was reported before.
        conditions: What holds now.
        settings: How soon each kind is reported, and when the daily digest comes.
        writer: Puts conditions into words.
        channels: Where messages go.
        now: The present.

    Returns:
        The messages that were queued.
    """
    names = [channel.name for channel in channels]
    after = waits(settings)
    clear_after = timedelta(minutes=settings.clear_min)
    messages: list[Message] = []
    with store.transaction() as change:
        wanted = [one for one in conditions if after.get(one.kind) is not None]
        for condition in wanted:
            change.see(condition, now=now)
        keys = {(one.kind, one.subject) for one in wanted}
        standing = change.standing()
        gone = [
            one
            for one in standing
            if (one.condition.kind, one.condition.subject) not in keys
            and (one.notified_at is None or now - one.seen_at >= clear_after)
        ]
        change.over([one.id for one in gone], now=now)
        if names:
            fresh = [
                one
                for one in standing
                if one.notified_at is None
                and (one.condition.kind, one.condition.subject) in keys
                and is_due(one.condition, after=after, now=now)
            ]
            messages += writer.begun([one.condition for one in fresh])
            change.reported([one.id for one in fresh], now=now)
            ended = [
                one.condition
                for one in gone
                if one.notified_at is not None and one.condition.kind not in EVENTS
            ]
            messages += writer.over(ended, now=now)
            day = now.date().isoformat()
            wants_digest = settings.digest_hour != "off" and now.hour >= settings.digest_hour
            before = change.noted(LAST_DIGEST)
            if wants_digest and before != day:
                change.note(LAST_DIGEST, day)
                left = [one for one in standing if one not in gone and one.notified_at is not None]
                # On the first day everything was reported just now.
                if left and before is not None:
                    messages.append(writer.digest(left, now=now))
                change.prune(now=now)
            for message in messages:
                change.queue(message, channels=names, now=now)
    return messages


def send_due(store: AlertStore, channels: Sequence[Channel], *, now: datetime) -> dict[str, str]:
    """Send what is due; return what was not accepted, by channel."""
    by_name = {channel.name: channel for channel in channels}
    claimed = store.claim(channels=list(by_name), now=now)
    if not claimed:
        return {}
    queues: dict[str, list[Sending]] = {}
    for sending in claimed:
        queues.setdefault(sending.channel, []).append(sending)

    def drain(name: str) -> str:
        failed = ""
        for sending in queues[name]:
            if not failed:
                try:
                    by_name[name].send(
                        title=sending.title, body=sending.body, attachments=sending.attachments
                    )
                except ChannelError as error:
                    failed = str(error)
            # In order: what follows a message that was not accepted waits with it.
            store.note_sent(sending, error=failed, now=now)
        return failed

    with ThreadPoolExecutor(max_workers=len(queues), thread_name_prefix="alert") as pool:
        failures = dict(zip(queues, pool.map(drain, queues), strict=True))
    return {name: error for name, error in failures.items() if error}


def send_test(channels: Sequence[Channel], message: Message) -> dict[str, str]:
    """Send a message at once through every channel; return what was not accepted, by channel."""
    failed = {}
    for channel in channels:
        try:
            channel.send(title=message.title, body=message.body)
        except ChannelError as error:
            failed[channel.name] = str(error)
    return failed
