"""What the Dagster UI shows of a table: its columns with units, figures per day, small plots."""

import base64
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import dagster as dg
import polars as pl

from energy_platform.schemas import Column, Table

OWNERS: Final = ["team:energy-data"]
"""Shown on every asset; edit to the team that is called when one fails."""


def _table_column(column: Column) -> dg.TableColumn:
    unit = f" [{column.unit}]" if column.unit else ""
    return dg.TableColumn(
        name=column.name,
        type=str(column.dtype),
        description=column.description + unit,
        constraints=dg.TableColumnConstraints(nullable=column.nullable),
        tags={"unit": column.unit.replace(" ", "_")} if column.unit else {},
    )


def column_schema(table: Table) -> dg.TableSchema:
    """Return the Dagster column schema of a table, units included."""
    return dg.TableSchema(columns=[_table_column(column) for column in table.columns])


def spec_of(
    table: Table, *, group: str, kinds: set[str], deps: Sequence[str] = (), **more: Any
) -> dg.AssetSpec:
    """Return the asset spec of a lake table: key, description, columns, owner and kinds."""
    return dg.AssetSpec(
        table.name,
        deps=deps,
        group_name=group,
        description=table.description,
        owners=OWNERS,
        kinds=kinds,
        metadata={"dagster/column_schema": column_schema(table)},
        **more,
    )


def figures(
    *,
    rows: int,
    first_at: datetime | None = None,
    last_at: datetime | None = None,
    counts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the metadata of one day: row count, first and last instant, counts by status."""
    shown: dict[str, Any] = {"dagster/partition_row_count": dg.MetadataValue.int(rows)}
    if first_at is not None:
        shown["first_at"] = dg.MetadataValue.timestamp(first_at)
    if last_at is not None:
        shown["last_at"] = dg.MetadataValue.timestamp(last_at)
    for name, count in (counts or {}).items():
        shown[name] = dg.MetadataValue.int(count)
    return shown


def plot(
    frame: pl.DataFrame, *, x: str, y: str, title: str, label: str, bars: bool = False
) -> dg.MetadataValue:
    """Draw one small picture and return it as markdown metadata.

    Args:
        frame: Columns ``x`` (instants or dates) and ``y`` (numbers), in order.
        x: Column on the horizontal axis.
        y: Column on the vertical axis.
        title: Heading.
        label: Name and unit of the vertical axis.
        bars: Bars in place of a line.
    """
    # Imported here: drawing costs half a second that only a run's last day pays.
    from matplotlib.dates import ConciseDateFormatter  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7.2, 2.4), layout="constrained")
    axes = figure.subplots()
    # A date and nine tenths of a day are the date: its bar would have no width.
    places = frame[x].cast(pl.Datetime()) if frame[x].dtype == pl.Date else frame[x]
    if bars:
        width = (places[1] - places[0]) * 0.9 if frame.height > 1 else 0.01
        axes.bar(places.to_list(), frame[y].to_list(), width=width, color="#2f6fab")
    else:
        axes.plot(places.to_list(), frame[y].to_list(), color="#2f6fab", linewidth=1.2)
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=8)
    locator = axes.xaxis.get_major_locator()
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=90)
    encoded = base64.b64encode(picture.getvalue()).decode("ascii")
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")
