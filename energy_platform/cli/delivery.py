"""``energy-platform delivery …``: how delivery stands, refused packets, comparison, events."""

from __future__ import annotations

from typing import Annotated

import typer

from energy_platform.cli.console import console

delivery = typer.Typer(
    no_args_is_help=True,
    # Typer's boxes cut and wrap what a pipe should get whole.
    rich_markup_mode=None,
    help="Look at the delivery of packets, and decide about refused ones.",
)

AsJson = Annotated[bool, typer.Option("--json", help="JSON in place of a table.")]
Stream = Annotated[str | None, typer.Option("--stream", help="Of this stream only.")]
DeadLetterId = Annotated[
    int, typer.Argument(help="Number of the refused packet, as `dead-letters` shows it.")
]


@delivery.command("status")
def status(
    *,
    as_json: AsJson = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also the streams with nothing to look at.")
    ] = False,
) -> None:
    """Say of each stream what its destination acknowledged, what it waits for and why."""
    from energy_platform.cli.delivery_views import show_status  # noqa: PLC0415

    raise typer.Exit(show_status(console(), as_json=as_json, verbose=verbose))


@delivery.command("dead-letters")
@delivery.command("letters", hidden=True)  # its name up to 0.1.0
def dead_letters(
    stream: Stream = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that were resent or skipped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the packets that were refused, with the answer and their bytes."""
    from energy_platform.cli.delivery_views import show_dead_letters  # noqa: PLC0415

    raise typer.Exit(show_dead_letters(console(), stream=stream, every=every, as_json=as_json))


@delivery.command("resend")
def resend(
    dead_letter: DeadLetterId,
    *,
    behind: Annotated[
        bool,
        typer.Option(
            "--behind",
            help="Even though newer packets of its stream were acknowledged; only where the "
            "destination agreed to late packets.",
        ),
    ] = False,
) -> None:
    """Let the next push send a refused packet again, with its very bytes."""
    from energy_platform.cli.delivery_views import resend_one  # noqa: PLC0415

    raise typer.Exit(resend_one(console(), dead_letter_id=dead_letter, behind=behind))


@delivery.command("skip")
def skip(dead_letter: DeadLetterId) -> None:
    """Go on without a refused packet; its stream runs again."""
    from energy_platform.cli.delivery_views import skip_one  # noqa: PLC0415

    raise typer.Exit(skip_one(console(), dead_letter_id=dead_letter))


@delivery.command("continue-from")
def continue_from(
    stream: Annotated[str, typer.Argument(help="Id of a stream that was restored.")],
    at: Annotated[
        str,
        typer.Argument(
            help="Instant of the newest packet its destination holds: 2026-11-27T10:15Z."
        ),
    ],
) -> None:
    """Say of a restored stream that cannot read back up to where its packets were received."""
    from energy_platform.cli.days import typed_instant  # noqa: PLC0415
    from energy_platform.cli.delivery_views import continue_one  # noqa: PLC0415

    raise typer.Exit(continue_one(console(), stream=stream, at=typed_instant(at)))


@delivery.command("mark-restored")
def mark_restored(
    at: Annotated[
        str, typer.Option(help="When the backup was taken that was put back: 2026-11-27T03:20Z.")
    ],
) -> None:
    """Say that ledger or lake on a server were put back: streams read back before they send."""
    from energy_platform.cli.days import typed_instant  # noqa: PLC0415
    from energy_platform.cli.delivery_views import mark_all_restored  # noqa: PLC0415

    raise typer.Exit(mark_all_restored(console(), at=typed_instant(at)))


@delivery.command("reconcile")
def reconcile(
    days: Annotated[int, typer.Option(min=1, max=366, help="Days back to look for late data.")] = 7,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare the lake, the ledger and what was stored there; exit 1 when a stream differs."""
    from energy_platform.cli.delivery_views import show_reconciled  # noqa: PLC0415

    raise typer.Exit(show_reconciled(console(), days=days, as_json=as_json))


@delivery.command("events")
def events(
    stream: Stream = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Such as rebase or refused.")] = None,
    last: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 10,
    *,
    as_json: AsJson = False,
) -> None:
    """List what happened: baselines, rebases, holds, refusals, refused credentials."""
    from energy_platform.cli.delivery_views import show_events  # noqa: PLC0415

    raise typer.Exit(show_events(console(), stream=stream, kind=kind, last=last, as_json=as_json))
