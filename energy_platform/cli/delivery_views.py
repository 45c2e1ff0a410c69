"""What ``energy-platform delivery`` prints; each function returns the exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, get_args

from energy_platform.cli.console import add_row, error_console, print_error, table
from energy_platform.cli.near import meant
from energy_platform.cli.progress import working
from energy_platform.days import instant, microseconds
from energy_platform.delivery import (
    LEDGER_FILE,
    DeadLetterError,
    LedgerError,
    delivery_frame,
    open_dead_letters,
    open_ledger,
    push_decisions,
    reconcile,
    resend_dead_letter,
    skip_dead_letter,
)
from energy_platform.delivery.ledger import EventKind
from energy_platform.delivery.restored import ContinueError, continue_from
from energy_platform.destinations.base import destination, titles
from energy_platform.installation.origin import installation
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import PortfolioError, load_portfolio

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

    from energy_platform.delivery import Ledger
    from energy_platform.delivery.ledger import DeadLetter
    from energy_platform.settings import Settings

OK: Final = 0
DIFFERS: Final = 1
IMPOSSIBLE: Final = 2


def show_status(console: Console, *, as_json: bool, verbose: bool = False) -> int:
    """Print how the streams of the portfolio stand: what is due first, then those to look at.

    Args:
        console: Where to.
        as_json: A JSON array with an object for each stream.
        verbose: Also the streams that have nothing to look at.

    Raises:
        SettingsError: A variable is wrong.
        PortfolioError: The portfolio cannot be used.
        LakeError: A file of the lake is damaged.
    """
    settings = installation().settings
    portfolio = load_portfolio(settings.platform.portfolio)

    def show(ledger: Ledger) -> int:
        lake = Lake.of(settings.platform)
        with working("comparing the lake and the ledger"):
            rows = delivery_frame(ledger, lake, portfolio).to_dicts()
            awaiting, at_rest = open_dead_letters(ledger, portfolio.streams)
            decisions = push_decisions(
                lake,
                ledger,
                portfolio,
                now=datetime.now(tz=UTC),
                settings=settings.destinations.values(),
            )
        if as_json:
            _print_json(rows)
            return OK
        _print_streams(console, rows, verbose=verbose)
        for target in settings.destinations:
            for name, stop in sorted(ledger.stopped_credentials(target).items()):
                console.print(
                    f"credential {name!r} is refused since {instant(stop.stopped_us):%F %R} UTC: "
                    f"{stop.reason}; next probe {instant(stop.probe_us):%F %R} UTC",
                    markup=False,
                )
        if awaiting:
            console.print(
                f"{len(awaiting)} refused packets await a decision: "
                "`energy-platform delivery dead-letters`",
                markup=False,
            )
        if at_rest:
            console.print(
                f"{len(at_rest)} refused packets are of streams that the portfolio no "
                "longer has: nothing waits for them",
                markup=False,
            )
        for decision in decisions.values():
            what = "a push is due" if decision.is_wanted else "no push is due"
            console.print(f"{what}: {decision.reason}", markup=False, soft_wrap=True)
        return OK

    return _with_ledger(settings, show)


def _print_streams(console: Console, rows: Sequence[dict[str, Any]], *, verbose: bool) -> None:
    shown = table(
        "stream",
        "acknowledged until",
        "behind since",
        "packets",
        "refused",
        "held back Wh",
        "why",
    )
    odd = [row for row in rows if _is_odd(row)]
    console.print(
        f"{len(rows) - len(odd)} of {len(rows)} streams have all that is due; "
        f"{sum(row['packets_acknowledged'] for row in rows)} packets acknowledged",
        highlight=False,
    )
    for row in rows if verbose else odd:
        blocked = "blocked: " if row["blocked"] else ""
        add_row(
            shown,
            row["stream_id"],
            _text(row["last_acknowledged_at"]),
            _text(row["behind_since"]),
            str(row["packets_acknowledged"]),
            str(row["packets_refused"]),
            f"{row['held_back_wh']:.0f}" if row["held_back_wh"] else "",
            f"{blocked}{row['reason'] or ''}",
        )
    if shown.row_count:
        console.print(shown)
    elif rows:
        console.print("--verbose lists them", highlight=False)


def _is_odd(row: Mapping[str, Any]) -> bool:
    """Say whether a stream is worth a look."""
    return bool(
        row["blocked"]
        or row["reason"]
        or row["behind_since"]
        or row["packets_refused"]
        or round(row["held_back_wh"] or 0)
    )


def show_dead_letters(console: Console, *, stream: str | None, every: bool, as_json: bool) -> int:
    """Print refused packets, oldest first.

    Raises:
        SettingsError: A variable is wrong.
    """
    settings = installation().settings
    streams = _streams(settings)

    def show(ledger: Ledger) -> int:
        found = ledger.dead_letters(stream_id=stream, state=None if every else "open")
        if not found and (code := _unknown(stream, streams)):
            return code
        if as_json:
            _print_json([_dead_letter(one, streams=streams) for one in found])
            return OK
        if not found:
            console.print("no refused packets")
            return OK
        shown = table("id", "stream", "of", "answer", "state", "reason", "packet")
        for one in found:
            add_row(
                shown,
                str(one.id),
                one.stream_id,
                _text(instant(one.at_us)),
                str(one.answer or ""),
                one.state if _is_there(one, streams) else f"{one.state}, its stream is gone",
                one.reason,
                one.body.decode("utf-8", "replace"),
            )
        console.print(shown)
        return OK

    return _with_ledger(settings, show)


def resend_one(console: Console, *, dead_letter_id: int, behind: bool) -> int:
    """Put a refused packet back in its place in the order.

    Raises:
        SettingsError: A variable is wrong.
    """
    settings = installation().settings
    streams = _streams(settings)

    def do(ledger: Ledger) -> int:
        one = resend_dead_letter(
            ledger, dead_letter_id, now=datetime.now(tz=UTC), behind=behind, streams=streams
        )
        _say(console, one, "the next push sends it again")
        return OK

    return _with_ledger(settings, do)


def skip_one(console: Console, *, dead_letter_id: int) -> int:
    """Go on without a refused packet.

    Raises:
        SettingsError: A variable is wrong.
    """

    def do(ledger: Ledger) -> int:
        one = skip_dead_letter(ledger, dead_letter_id, now=datetime.now(tz=UTC))
        _say(console, one, "skipped; its stream goes on with the next push")
        return OK

    return _with_ledger(installation().settings, do)


def continue_one(console: Console, *, stream: str, at: datetime) -> int:
    """Say up to where a restored stream's packets were received.

    Raises:
        SettingsError: A variable is wrong.
        PortfolioError: The portfolio cannot be used.
    """
    settings = installation().settings
    portfolio = load_portfolio(settings.platform.portfolio)

    def work(ledger: Ledger) -> int:
        left = continue_from(ledger, portfolio, stream, at=at, now=datetime.now(tz=UTC))
        pending = f"; {left} packets planned before are sent first" if left else ""
        console.print(f"{stream} goes on after {_text(at)} UTC with the next push{pending}")
        return OK

    return _with_ledger(settings, work)


def mark_all_restored(console: Console, *, at: datetime) -> int:
    """Let every stream read back before it sends again.

    Raises:
        SettingsError: A variable is wrong.
    """

    def work(ledger: Ledger) -> int:
        streams = ledger.mark_restored(
            lake_until_us=microseconds(at), now_us=microseconds(datetime.now(tz=UTC))
        )
        console.print(
            f"{streams} streams read back what their destination holds before they send again"
        )
        return OK

    return _with_ledger(installation().settings, work)


def show_reconciled(console: Console, *, days: int, as_json: bool) -> int:
    """Print the comparison of lake, ledger and read-back.

    Returns:
        1 when a stream differs.

    Raises:
        SettingsError: A variable is wrong.
        PortfolioError: The portfolio cannot be used.
        LakeError: A file of the lake is damaged.
    """
    settings = installation().settings
    portfolio = load_portfolio(settings.platform.portfolio)

    def show(ledger: Ledger) -> int:
        with working(f"comparing the lake, the ledger and {titles()}"):
            found = [
                one
                for target in settings.destinations.values()
                for one in reconcile(
                    Lake.of(settings.platform),
                    ledger=ledger,
                    portfolio=portfolio,
                    settings=target,
                    clock=lambda: datetime.now(tz=UTC),
                    days=days,
                )
            ]
        different = [one for one in found if one.differences]
        code = DIFFERS if different else OK
        if as_json:
            _print_json([one._asdict() for one in found])
            return code
        shown = table("stream", "lake", "ledger", titles(), "differs", "what will be done")
        for one in different:
            add_row(
                shown,
                one.stream_id,
                _text(one.lake_until),
                _text(one.ledger_until),
                _text(one.stored_until),
                "; ".join(one.differences),
                one.action,
            )
        if different:
            console.print(shown)
        console.print(f"{len(found) - len(different)} of {len(found)} streams agree")
        for target in settings.destinations.values():
            if not target.can_read_back:
                console.print(
                    f"{destination(target.destination).title} was not asked: "
                    f"{target.variable('base_url')} or {target.variable('readback')}"
                )
        return code

    return _with_ledger(settings, show)


def show_events(
    console: Console, *, stream: str | None, kind: str | None, last: int, as_json: bool
) -> int:
    """Print what happened, oldest first.

    Raises:
        SettingsError: A variable is wrong.
    """
    kinds = get_args(EventKind)
    if kind is not None and kind not in kinds:
        return _fail(f"no such kind of event {kind!r}; {meant(kind, kinds)}")

    settings = installation().settings
    streams = _streams(settings)

    def show(ledger: Ledger) -> int:
        found = ledger.events(stream_id=stream, kind=kind)[-last:]
        if not found and (code := _unknown(stream, streams)):
            return code
        if as_json:
            _print_json(
                [
                    {"at": instant(one.at_us), "stream_id": one.stream_id, "kind": one.kind}
                    | dict(one.detail)
                    for one in found
                ]
            )
            return OK
        shown = table("at (UTC)", "stream", "event", "details")
        for one in found:
            add_row(
                shown,
                f"{instant(one.at_us):%F %T}",
                one.stream_id or "",
                one.kind,
                ", ".join(_detail(one.detail.items())),
            )
        console.print(shown)
        return OK

    return _with_ledger(settings, show)


def _with_ledger(settings: Settings, work: Callable[[Ledger], int]) -> int:
    """Open the ledger for some work; looking makes none where there is none."""
    platform = settings.platform
    if platform.ledger_url is None and not (platform.data_dir / LEDGER_FILE).exists():
        return _fail(f"nothing was delivered so far: there is no {LEDGER_FILE}")
    try:
        with open_ledger(platform) as ledger:
            return work(ledger)
    except (LedgerError, DeadLetterError, ContinueError) as error:
        return _fail(str(error))


def _unknown(stream: str | None, streams: Collection[str] | None) -> int:
    """Refuse a stream that neither the ledger nor the portfolio has; 0 where it is one."""
    if stream is None or streams is None or stream in streams:
        return OK
    return _fail(f"there is no stream {stream!r}; {meant(stream, streams)}")


def _fail(words: str) -> int:
    # A message must not become a line of what somebody's program reads.
    print_error(error_console(), words)
    return IMPOSSIBLE


def _say(console: Console, dead_letter: DeadLetter, what: str) -> None:
    at = _text(instant(dead_letter.at_us))
    console.print(f"packet {dead_letter.id} of {dead_letter.stream_id}, {at}: {what}", markup=False)


def _streams(settings: Settings) -> Collection[str] | None:
    """Return the ids of the portfolio's streams; None while the portfolio cannot be used."""
    try:
        return load_portfolio(settings.platform.portfolio).streams
    except PortfolioError:
        return None


def _is_there(dead_letter: DeadLetter, streams: Collection[str] | None) -> bool:
    return streams is None or dead_letter.stream_id in streams


def _dead_letter(dead_letter: DeadLetter, *, streams: Collection[str] | None) -> dict[str, Any]:
    return {
        "id": dead_letter.id,
        "stream_id": dead_letter.stream_id,
        "at": instant(dead_letter.at_us),
        "answer": dead_letter.answer,
        "reason": dead_letter.reason,
        "refused_at": instant(dead_letter.refused_us),
        "state": dead_letter.state,
        "stream_in_portfolio": _is_there(dead_letter, streams),
        "packet": dead_letter.body.decode("utf-8", "replace"),
    }


def _detail(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in items:
        if name.endswith("_us") and isinstance(value, int):
            yield f"{name.removesuffix('_us')} {_text(instant(value))}"
        elif isinstance(value, float):
            yield f"{name} {value:.3f}"
        else:
            yield f"{name} {value}"


def _text(at: datetime | None) -> str:
    return "" if at is None else f"{at:%F %R}"


def _print_json(rows: Sequence[dict[str, Any]]) -> None:
    print(json.dumps(rows, indent=2, default=_json))  # noqa: T201


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(type(value).__name__)
