"""The charts of a page: comparison, daily bars, heat and cold, load curve.

Each is an Altair chart as Vega-Lite. What an axis or a tooltip says is written here and handed over
as text, so that days stay the site's days, whatever the zone of who looks. Status is shown by fill
and outline as well as by colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import altair as alt

from energy_platform.report.drawing import ACCENT, ALARM, INK, PALE, QUIET, chart_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from energy_platform.report.words import Words

STATES: Final = ("final", "provisional", "lacking", "disputed")
"""How a bar can look, from settled to disputed."""

_FILL: Final = {"final": ACCENT, "provisional": PALE, "lacking": "#ffffff", "disputed": "#ffffff"}
_EDGE: Final = {"final": ACCENT, "provisional": ACCENT, "lacking": ACCENT, "disputed": ALARM}
_DASH: Final = {"final": [1, 0], "provisional": [1, 0], "lacking": [4, 2], "disputed": [1, 0]}
_THICK: Final = {"final": 1, "provisional": 1, "lacking": 1.5, "disputed": 2.5}

_ROWS: Final = "rows"
"""Name of the data in a spec."""

UNKNOWN_MARK: Final = "?"
DISPUTED_MARK: Final = "!"


def state_of(status: str | None) -> str:
    """Return how a figure of a status looks.

    >>> [state_of(one) for one in ("final", "open", "incomplete", "disputed", None)]
    ['final', 'provisional', 'lacking', 'disputed', 'final']
    """
    return {
        None: "final",
        "final": "final",
        "partial": "lacking",
        "incomplete": "lacking",
        "disputed": "disputed",
    }.get(status, "provisional")


def _state_scales(values: Sequence[Mapping[str, Any]], words: Words) -> dict[str, Any]:
    """Return the channels by which a bar shows its status, with one legend where there are two."""
    present = [one for one in STATES if any(row["state_key"] == one for row in values)]
    labels = [words(f"state.{one}") for one in present]
    legend = (
        alt.Legend(title=None, orient="bottom", direction="horizontal", columns=2, symbolSize=140)
        if len(present) > 1  # Vega lays a single label on its symbol
        else None
    )

    def scale(look: Mapping[str, Any]) -> alt.Scale:
        return alt.Scale(domain=labels, range=[look[one] for one in present])

    return {
        "fill": alt.Fill("state:O", scale=scale(_FILL), legend=legend),
        "stroke": alt.Stroke("state:O", scale=scale(_EDGE), legend=legend),
        "strokeDash": alt.StrokeDash("state:O", scale=scale(_DASH), legend=legend),
        "strokeWidth": alt.StrokeWidth("state:O", scale=scale(_THICK), legend=legend),
    }


def daily_bars(values: Sequence[Mapping[str, Any]], words: Words) -> dict[str, Any]:
    """Return bars of each day.

    Args:
        values: ``day`` (on the axis), ``kwh`` or None, ``state_key``, ``state``, ``when`` and
            ``shown`` for the tooltip.
        words: The language.
    """
    data = alt.NamedData(name=_ROWS)
    days = _day_axis([row["day"] for row in values])
    tooltip = [
        alt.Tooltip("when:N", title=words("column.day")),
        alt.Tooltip("shown:N", title=words("column.use")),
        alt.Tooltip("state:N", title=words("column.status")),
    ]
    base = alt.Chart(data).encode(x=days)
    bars = base.mark_bar().encode(
        y=alt.Y("kwh:Q", title=words("axis.kwh_a_day"), axis=alt.Axis(tickCount=5)),
        tooltip=tooltip,
        **_state_scales(values, words),
    )
    marks = (
        base.transform_filter("isValid(datum.mark)")
        .mark_text(baseline="bottom", dy=-3, fontWeight="bold", fontSize=13)
        .encode(y="at:Q", text="mark:N", color=alt.value(ALARM), tooltip=tooltip)
    )
    return _spec(bars + marks, values, words, height=220)


def _day_axis(days: Sequence[str]) -> alt.X:
    """Return the axis of the days in their order."""
    in_order = list(dict.fromkeys(days))
    return alt.X(
        "day:N",
        sort=in_order,
        scale=alt.Scale(domain=in_order),
        title=None,
        axis=alt.Axis(labelAngle=0, labelOverlap=True),
    )


def comparison_bars(values: Sequence[Mapping[str, Any]], words: Words) -> dict[str, Any]:
    """Return a bar of each period, its figure written at its end.

    Args:
        values: ``name``, ``kwh`` or None, ``shown``, ``state_key`` and ``state``.
        words: The language.
    """
    data = alt.NamedData(name=_ROWS)
    names = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=160, labelColor=INK))
    most = max((row["kwh"] or 0 for row in values), default=0) or 1
    # Room for the figure at the end of the longest bar.
    scale = alt.Scale(domain=[min(0, *(row["kwh"] or 0 for row in values)), most * 1.35])
    length = alt.X("kwh:Q", title=None, axis=None, scale=scale)
    base = alt.Chart(data).encode(y=names)
    bars = base.mark_bar(height=18).encode(x=length, **_state_scales(values, words))
    labels = base.mark_text(align="left", dx=6, fontSize=12).encode(
        x=alt.X("end:Q", scale=scale, axis=None), text="shown:N", color=alt.value(INK)
    )
    return _spec(bars + labels, values, words, height=34 * len(values))


def heat_and_cold(values: Sequence[Mapping[str, Any]], words: Words) -> dict[str, Any]:
    """Return two bars of each day: heating full, cooling outlined.

    Args:
        values: ``day``, ``kind``, ``kwh`` or None, ``when`` and ``shown``.
        words: The language.
    """
    kinds = list(dict.fromkeys(row["kind"] for row in values))
    heating = words("glance.heating")
    fills = [ACCENT if kind == heating else "#ffffff" for kind in kinds]
    legend = alt.Legend(title=None, orient="bottom", symbolSize=140) if len(kinds) > 1 else None
    bars = (
        alt.Chart(alt.NamedData(name=_ROWS))
        .mark_bar(strokeWidth=1)
        .encode(
            x=_day_axis([row["day"] for row in values]),
            xOffset=alt.XOffset("kind:N", sort=kinds),
            y=alt.Y("kwh:Q", title=words("axis.kwh_a_day"), axis=alt.Axis(tickCount=5)),
            fill=alt.Fill("kind:N", scale=alt.Scale(domain=kinds, range=fills), legend=legend),
            stroke=alt.Stroke(
                "kind:N", scale=alt.Scale(domain=kinds, range=[ACCENT] * len(kinds)), legend=legend
            ),
            tooltip=[
                alt.Tooltip("when:N", title=words("column.day")),
                alt.Tooltip("kind:N", title=words("column.what")),
                alt.Tooltip("shown:N", title=words("column.energy")),
            ],
        )
    )
    return _spec(bars, values, words, height=200)


def load_curve(
    values: Sequence[Mapping[str, Any]], words: Words, *, days: Sequence[str], hours: Sequence[str]
) -> dict[str, Any]:
    """Return the load of each hour and day, darker where it is higher.

    Args:
        values: ``day``, ``hour``, ``kw`` or None, ``when``, ``shown`` and ``mark`` for an hour
            that is not known.
        words: The language.
        days: Of the axis, in order.
        hours: Of the axis, in order; one that the clock shows twice is there twice.
    """
    data = alt.NamedData(name=_ROWS)
    every = [one for one in hours if one.isdecimal() and int(one) % 3 == 0]
    base = alt.Chart(data).encode(
        x=alt.X(
            "day:N",
            sort=list(days),
            scale=alt.Scale(domain=list(days), paddingInner=0.06),
            title=None,
            axis=alt.Axis(labelAngle=0, labelOverlap=True, domain=False, ticks=False),
        ),
        y=alt.Y(
            "hour:N",
            sort=list(hours),
            scale=alt.Scale(domain=list(hours), paddingInner=0.06),
            title=words("axis.hour"),
            axis=alt.Axis(values=every, domain=False, ticks=False),
        ),
        tooltip=[
            alt.Tooltip("when:N", title=words("column.hour")),
            alt.Tooltip("shown:N", title=words("column.load")),
        ],
    )
    cells = (
        base.transform_filter("isValid(datum.kw)")
        .mark_rect()
        .encode(
            color=alt.Color(
                "kw:Q",
                title="kW",
                scale=alt.Scale(range=["#eef4fa", "#7fb0da", "#1f5f99", "#0a2a47"], zero=False),
                legend=alt.Legend(orient="bottom", gradientLength=200, gradientThickness=8),
            )
        )
    )
    gaps = (
        base.transform_filter("isValid(datum.mark)")
        .mark_text(fontSize=9)
        .encode(text="mark:N", color=alt.value(QUIET))
    )
    return _spec(cells + gaps, values, words, height=14 * len(hours))


def _spec(
    chart: alt.LayerChart | alt.Chart,
    values: Sequence[Mapping[str, Any]],
    words: Words,
    *,
    height: int,
) -> dict[str, Any]:
    found: dict[str, Any] = (
        chart.properties(width="container", height=height)
        .configure(**chart_config(words))
        .to_dict()
    )
    # Handed over afterwards: Altair would hold each row against its schema, which takes seconds.
    found["datasets"] = {_ROWS: list(values)}
    # The address of a schema, which nobody shall ask.
    found.pop("$schema", None)
    return found
