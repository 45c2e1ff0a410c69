"""``energy-platform portfolio …``: whether it is sound, its points by name, its schema."""

from typing import Annotated

import typer

from energy_platform.cli.console import console

portfolio = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Check the portfolio, find points by name, complete it in an editor.",
)

AsJson = Annotated[bool, typer.Option("--json", help="JSON in place of text.")]


@portfolio.command("schema")
def schema() -> None:
    """Print the JSON schema of portfolio.yaml, by which editors complete and check it."""
    from energy_platform.portfolio.schema import schema_text  # noqa: PLC0415

    typer.echo(schema_text(), nl=False)


@portfolio.command("check")
def check(*, as_json: AsJson = False) -> None:
    """Load the portfolio and say what is wrong or waits for confirmation; ask no vendor."""
    from energy_platform.cli.portfolio_views import show_check  # noqa: PLC0415

    raise typer.Exit(show_check(console(), as_json=as_json))


@portfolio.command("find")
def find(
    words: Annotated[
        list[str], typer.Argument(help="Words of a point's id, name, device, site or quantity.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """List the points that fit all of some words; exit 1 when none does."""
    from energy_platform.cli.portfolio_views import show_found  # noqa: PLC0415

    raise typer.Exit(show_found(console(), words=" ".join(words), as_json=as_json))
