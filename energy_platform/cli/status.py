"""``energy-platform status``: what is fresh, what waits, what needs an operator."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from energy_platform.cli.console import error_console, print_error
from energy_platform.cli.disputed import refused_of
from energy_platform.cli.progress import working
from energy_platform.cli.status_troubles import Troubles, read_replacements, read_troubles
from energy_platform.delivery import LEDGER_FILE, LedgerError, open_ledger, push_decisions
from energy_platform.ingest.due import SELF_HEALING_FROM, missing_days_of
from energy_platform.installation.origin import installation
from energy_platform.installation.run_locks import ui_is_running
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import complete_until_of, is_closed
from energy_platform.portfolio import load_portfolio
from energy_platform.refresh import blocked, stale, unconfirmed_readings
from energy_platform.sources.base import SourceContext
from energy_platform.sources.registry import day_tables, get_source, landing_folder, sources
from energy_platform.warehouse.as_of import MARTS_FOLDER, AsOf, read_as_of
from energy_platform.warehouse.live_views import LIVE_FILE, follow_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from energy_platform.lake.catalogue import Replacement
    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Vendor
    from energy_platform.settings import Settings


@dataclass(frozen=True, kw_only=True)
class VendorStatus:
    """How far a vendor's raw days reach.

    Attributes:
        vendor: Which one.
        days: Number of raw days.
        newest_day: The newest one, None when there is none.
        newest_closed_day: The newest one that the daily run has closed.
        complete_until: Up to where the newest day was asked for, ISO 8601.
        not_whole_days: Days that are over and missing, partial, open or damaged, newest first.
        next_attempt: When the next of them is asked for, ISO 8601; None: at the next look, or
            there is none.
        warnings: What the source itself says that an operator should look at, such as files that
            could not be read.
    """

    vendor: Vendor
    days: int
    newest_day: str | None
    newest_closed_day: str | None
    complete_until: str | None
    not_whole_days: tuple[dict[str, object], ...]
    next_attempt: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Status:
    """The platform at one moment.

    Attributes:
        vendors: How far each vendor reaches.
        stale_days: Days to be rebuilt, with what differs.
        held_days: Days whose raw files need an operator.
        pending_suspects: Register readings that await their confirmation.
        refused: Points with refused energy in the newest days, with what would let it pass.
        streams: Number of streams.
        stream_backlog: Streams that a push has something for, with the reason.
        published_newest_day: Newest UTC day that is published, None when nothing is.
        publication: As of when each published file is.
        portfolio: The portfolio file that was used.
        troubles: Runs that died or hang, alerts that stand, and what could not be read.
        replaced_answers: Answers that an operator let a newer one replace, newest first.
        is_running: Whether the UI's daemon runs, which does what waits.
    """

    vendors: tuple[VendorStatus, ...]
    stale_days: dict[str, list[str]]
    held_days: dict[str, str]
    pending_suspects: tuple[dict[str, object], ...]
    refused: tuple[dict[str, object], ...]
    streams: int
    stream_backlog: dict[str, str]
    published_newest_day: str | None
    publication: AsOf
    portfolio: str
    troubles: Troubles
    replaced_answers: tuple[Replacement, ...]
    is_running: bool


def run_status(console: Console, *, as_json: bool, verbose: bool = False) -> int:
    """Print the status.

    Args:
        console: Where to.
        as_json: One JSON object in place of text.
        verbose: Every line, also of what is fine.

    Returns:
        0: a status reports; ``doctor`` decides what is wrong. 2 when the ledger cannot be opened.

    Raises:
        SettingsError: A variable is wrong.
        PortfolioError: The portfolio cannot be used.
        LakeError: A file of the lake is damaged.
        CatalogueError: The catalogue cannot be used.
    """
    settings = installation().settings
    _follow_folder(settings, to=error_console() if as_json else console)
    try:
        with working("reading the lake, the ledger and the runs"):
            status = read_status(settings)
    except LedgerError as error:
        print_error(error_console(), str(error))
        return 2
    if as_json:
        print(json.dumps(_as_json(status), indent=2))  # noqa: T201
    else:
        # Here, since it knows the shape that is read here.
        from energy_platform.cli.status_screen import print_status  # noqa: PLC0415

        print_status(console, status, verbose=verbose)
    return 0


def _as_json(status: Status) -> dict[str, object]:
    found = asdict(status)
    due = status.publication.next_copy_at
    found["publication"]["next_copy_at"] = due.isoformat() if due else None
    # Next to the other lists: a program asks for what is wrong by one name.
    found |= {
        "troubled_runs": [asdict(one) for one in status.troubles.runs],
        "standing_alerts": [asdict(one) for one in status.troubles.alerts],
        "restart_needed": status.troubles.restart,
        "unreadable": status.troubles.unreadable,
        "replaced_answers": [
            asdict(one) | {"at": one.at.isoformat()} for one in status.replaced_answers
        ],
    }
    del found["troubles"]
    return found


def _follow_folder(settings: Settings, *, to: Console) -> None:
    """Have the live views show this data folder, when it was moved or copied."""
    folder = settings.platform.data_dir
    try:
        is_moved = follow_folder(
            Lake.of(settings.platform), folder / LIVE_FILE, marts=folder / MARTS_FOLDER
        )
    except OSError as error:
        to.print(
            f"{folder / LIVE_FILE} shows another folder and cannot be written again: {error}",
            markup=False,
            soft_wrap=True,
        )
        return
    if is_moved:
        to.print(
            f"{LIVE_FILE}: the data folder was moved or copied; its views now show {folder}",
            markup=False,
            soft_wrap=True,
        )


def read_status(settings: Settings) -> Status:
    """Read the platform's state: footers, the registers' newest state, the ledger's cursors.

    Raises:
        PortfolioError: The portfolio cannot be used.
        LedgerError: The ledger cannot be opened.
        LakeError: A file of the lake is damaged.
    """
    platform = settings.platform
    lake = Lake.of(platform)
    portfolio = load_portfolio(platform.portfolio)
    suspects = unconfirmed_readings(lake)
    publication = read_as_of(platform.data_dir)
    stale_days: dict[str, list[str]] = {}
    held_days: dict[str, str] = {}
    now = datetime.now(tz=UTC)
    if lake.root.exists():
        # Looking for stale days keeps notes in the lake; a new folder stays as it is.
        stale_days = {one.day: list(one.why) for one in stale(lake, portfolio)}
        held_days = {one.day: one.why for one in blocked(lake, portfolio)}
    return Status(
        vendors=tuple(
            _vendor(lake, vendor, settings=settings, portfolio=portfolio, now=now)
            for vendor in sources()
        ),
        stale_days=stale_days,
        held_days=held_days,
        pending_suspects=tuple(
            {
                name: value.isoformat() if hasattr(value, "isoformat") else value
                for name, value in row.items()
            }
            for row in suspects.iter_rows(named=True)
        ),
        refused=refused_of(lake, portfolio),
        streams=len(portfolio.streams),
        stream_backlog=_behind(settings, lake, portfolio),
        published_newest_day=publication.newest_day,
        publication=publication,
        portfolio=str(platform.portfolio),
        troubles=read_troubles(platform, now=now),
        replaced_answers=read_replacements(lake),
        is_running=ui_is_running(platform.data_dir / "dagster"),
    )


def _vendor(
    lake: Lake, vendor: Vendor, *, settings: Settings, portfolio: Portfolio, now: datetime
) -> VendorStatus:
    data_dir = settings.platform.data_dir
    files = lake.day_files(day_tables()[vendor])
    days = [one.day for one in files]
    # Damaged files are reported among the blocked days, with what to do.
    sound = [(one.day, one.footer) for one in reversed(files) if one.footer is not None]
    until = complete_until_of(sound[0][1]).isoformat() if sound else None
    closed = next((day for day, footer in sound if is_closed(footer)), None)
    found = missing_days_of(vendor, lake=lake, data_dir=data_dir, now=now, after=SELF_HEALING_FROM)
    resting = [one.next_at for one in found if one.next_at is not None]
    is_due_now = len(resting) < len(found)
    return VendorStatus(
        vendor=vendor,
        days=len(days),
        newest_day=days[-1] if days else None,
        newest_closed_day=closed,
        complete_until=until,
        not_whole_days=tuple(
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in asdict(one).items()
            }
            for one in found
        ),
        next_attempt=min(resting).isoformat() if resting and not is_due_now else None,
        warnings=tuple(_warnings(lake, vendor, settings=settings, portfolio=portfolio, now=now)),
    )


def _warnings(
    lake: Lake, vendor: Vendor, *, settings: Settings, portfolio: Portfolio, now: datetime
) -> Iterator[str]:
    """Yield what a source that is used says of itself; nothing is asked of any vendor."""
    spec, own = get_source(vendor), settings.sources[vendor]
    if not spec.is_configured(own):
        return
    landing = landing_folder(settings.platform.data_dir, source=vendor)
    context = SourceContext(portfolio=portfolio, landing=landing, lake=lake)
    for one in spec.checks(own, context, now):
        if not one.is_ok:
            yield f"{one.message}. {one.advice}" if one.advice else one.message


def _behind(settings: Settings, lake: Lake, portfolio: Portfolio) -> dict[str, str]:
    platform = settings.platform
    if not portfolio.streams:
        return {}
    if platform.ledger_url is None and not (platform.data_dir / LEDGER_FILE).exists():
        # Looking must not make a ledger.
        return dict.fromkeys(portfolio.streams, "nothing was delivered so far")
    with open_ledger(platform) as ledger:
        found = push_decisions(
            lake,
            ledger,
            portfolio,
            now=datetime.now(tz=UTC),
            settings=settings.destinations.values(),
        )
    return {one.stream_id: one.reason for decision in found.values() for one in decision.behind}
