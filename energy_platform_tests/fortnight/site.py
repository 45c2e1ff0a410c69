"""A small installation: a few devices of each vendor on loopback, real alert channels."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from energy_platform.simulators.demo_portfolio import demo_streams
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform.simulators.world import World
from energy_platform_tests.alerts.receivers import mail_server, webhook_server
from energy_platform_tests.environment import (
    environment,
    no_trust_store,
    small_portfolio,
    small_world,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from energy_platform_tests.alerts.receivers import Mailbox, Webhook

DEVICES: Final = frozenset(
    {
        "SN000001",
        *("22001-50007-101-007", "22005-50035-105-007", "22013-50091-113-007"),
        "1000000001",
    }
)
"""One meter, one valve of each model, one gateway."""

STREAMS: Final = {
    "paris-sn000001-2": "socomec",
    "paris-valve-heat": "belimo",
    "los-angeles-pv": "skycentrics",
}
"""One of each vendor, and which: what is not sent of one must not wait for another."""

NAME: Final = "fortnight"
POINTS: Final = frozenset({"evcloud.200", "evcloud.210", "evcloud.150"})
"""Datapoints of a valve that are read."""

POLL_MINUTES: Final = 30

SETTINGS: Final = {
    **{
        f"{vendor}_{name}": value
        for vendor in ("SOCOMEC", "BELIMO", "SKYCENTRICS")
        for name, value in {
            "RPS": "2000",
            "BACKOFF_S": "0.01",
            "TIMEOUT_S": "3",
            "ATTEMPTS": "2",
            "RUN_LIMIT_S": "20",
        }.items()
    },
    # Every wait for a vendor that hangs is a real one.
    "SOCOMEC_TIMEOUT_S": "1",
    "SOCOMEC_RUN_LIMIT_S": "3",
    "SKYCENTRICS_POLL_S": str(POLL_MINUTES * 60),
    "SKYCENTRICS_HISTORY": "on",
    "SKYCENTRICS_HISTORY_GAP": str(POLL_MINUTES),
    "WATTICS_PARALLEL_STREAMS": "3",
    # So is every pause of a push that Wattics refuses.
    "WATTICS_MAX_BACKOFF_S": "0.5",
    "WATTICS_GIVE_UP_S": "2",
}


@dataclass(frozen=True)
class Site:
    """The installation and what is around it.

    Attributes:
        folder: Its data folder.
        suite: The vendors and Wattics.
        mailbox: Where mails arrive.
        webhook: Where the webhook's messages arrive.
    """

    folder: Path
    suite: SimulatorSuite
    mailbox: Mailbox
    webhook: Webhook


@contextmanager
def open_site(
    folder: Path, *, begin: datetime, intraday_minutes: int, seed: int, is_sending: bool
) -> Iterator[Site]:
    """Serve vendors and receivers on loopback, and point this process at them."""
    world = small_world(DEVICES, seed=seed)
    streams = [one for one in demo_streams(World(seed)) if one.id in STREAMS]
    suite = SimulatorSuite(world=world, wattics_streams=streams, history=True)
    portfolio = folder / "portfolio.yaml"
    portfolio.write_text(
        small_portfolio(
            DEVICES, streams=frozenset(STREAMS), valve_points=POINTS, seed=seed, start=begin
        ),
        encoding="utf-8",
    )
    with no_trust_store(), suite, mail_server() as mailbox, webhook_server() as webhook:
        values = {
            **SETTINGS,
            **suite.environment(),
            **{
                f"{vendor}_START_DAY": begin.date().isoformat()
                for vendor in ("SOCOMEC", "BELIMO", "SKYCENTRICS")
            },
            "ENERGY_PLATFORM_DATA_DIR": str(folder),
            "ENERGY_PLATFORM_PORTFOLIO": str(portfolio),
            "ENERGY_PLATFORM_INTRADAY_MINUTES": str(intraday_minutes),
            "ENERGY_PLATFORM_ALERT_MAIL_URL": mailbox.url,
            "ENERGY_PLATFORM_ALERT_WEBHOOK_URL": webhook.url,
            "ENERGY_PLATFORM_ALERT_NAME": NAME,
            # What the machine that runs this has left is no part of it.
            "ENERGY_PLATFORM_ALERT_DISK_NEARLY_FULL_MIN": "off",
        }
        if not is_sending:
            values["ENERGY_PLATFORM_ALERT_PUBLICATION_OLD_MIN"] = "off"
            values = {name: one for name, one in values.items() if not name.startswith("WATTICS_")}
        with environment(values):
            yield Site(folder=folder, suite=suite, mailbox=mailbox, webhook=webhook)
