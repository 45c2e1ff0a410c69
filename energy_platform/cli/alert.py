"""``energy-platform alert …``: try the channels, and list what stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from energy_platform.alerts import AlertStore, channels_of, send_test
from energy_platform.alerts.policy import writer_of
from energy_platform.cli.console import console
from energy_platform.settings import Settings, SettingsError

if TYPE_CHECKING:
    from energy_platform.alerts import Standing

alert = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Try the channels that messages leave by, and list what stands.",
)


@alert.command("test")
def test() -> None:
    """Send one message through every channel that is set."""
    settings = Settings.load()
    channels = channels_of(settings.alerts)
    if not channels:
        raise SettingsError(
            "no channel is set: fill one of ENERGY_PLATFORM_ALERT_MAIL_URL, _SLACK_URL, "
            "_TEAMS_URL or _WEBHOOK_URL in .env"
        )
    message = writer_of(settings).test(now=datetime.now(tz=UTC))
    failed = send_test(channels, message)
    to = console()
    for channel in channels:
        error = failed.get(channel.name)
        to.print(error or f"{channel.name}: accepted", markup=False)
    raise typer.Exit(1 if failed else 0)


@alert.command("list")
def listing(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """List what stands: what is wrong, since when, and whether somebody was notified."""
    settings = Settings.load()
    data_dir = settings.platform.data_dir
    standing: list[Standing] = []
    troubles: dict[str, str] = {}
    if data_dir.is_dir():
        with AlertStore.of(data_dir) as store:
            standing, troubles = store.standing(), store.troubles()
    if as_json:
        print(json.dumps({"standing": [_plain(one) for one in standing], "channels": troubles}))  # noqa: T201
        return
    to = console()
    if not standing:
        to.print("nothing stands")
    for one in standing:
        told = f"notified {one.notified_at:%Y-%m-%d %H:%M}" if one.notified_at else "not notified"
        since = f"since {one.condition.since:%Y-%m-%d %H:%M} UTC, {told}"
        to.print(f"{one.condition.what} ({since})", markup=False)
    for error in troubles.values():
        to.print(error, markup=False)


def _plain(one: Standing) -> dict[str, str | None]:
    return {
        "kind": one.condition.kind,
        "subject": one.condition.subject,
        "what": one.condition.what,
        "todo": one.condition.todo,
        "since": one.condition.since.isoformat(),
        "notified_at": one.notified_at.isoformat() if one.notified_at else None,
    }
