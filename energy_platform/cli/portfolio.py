"""``energy-platform portfolio …``: what editors need to know of the portfolio."""

import typer

portfolio = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What editors need to know of the portfolio.",
)


@portfolio.callback()
def _group() -> None:
    """Keep ``schema`` a command of its own, though it is the only one."""


@portfolio.command("schema")
def schema() -> None:
    """Print the JSON schema of portfolio.yaml, by which editors complete and check it."""
    from energy_platform.portfolio.schema import schema_text  # noqa: PLC0415

    typer.echo(schema_text(), nl=False)
