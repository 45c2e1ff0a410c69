"""From Vega-Lite to SVG that stands in a page by itself: named, described, with ids of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any, Final

import vl_convert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.report.words import Words

ACCENT: Final = "#1f5f99"
PALE: Final = "#b9d3ea"
INK: Final = "#1d252c"
QUIET: Final = "#56616b"
RULE: Final = "#d9dfe4"
ALARM: Final = "#8c1d18"

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"

WIDE: Final = 720
NARROW: Final = 340
"""Widths that pictures are drawn for, px: a sheet or a screen, and a phone."""

_SVG: Final = "http://www.w3.org/2000/svg"
_LINK: Final = "http://www.w3.org/1999/xlink"
_VEGA_LITE: Final = "6.4"


def chart_config(words: Words) -> dict[str, Any]:
    """Return what all charts have in common, the language's numbers among it."""
    decimal, thousands = words("locale.decimal"), words("locale.thousands")
    return {
        "font": FONT,
        "background": "transparent",
        "view": {"stroke": None},
        "axis": {
            "labelColor": QUIET,
            "titleColor": QUIET,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "domainColor": RULE,
            "tickColor": RULE,
            "gridColor": RULE,
        },
        "legend": {
            "labelColor": INK,
            "titleColor": QUIET,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "labelLimit": 320,
        },
        "locale": {
            "number": {
                "decimal": decimal,
                "thousands": thousands,
                "grouping": [3],
                "currency": ["", ""],
            }
        },
    }


def drawn(spec: Mapping[str, Any], *, width: int, name: str, title: str, description: str) -> str:
    """Draw a Vega-Lite spec as SVG for a page.

    Args:
        spec: The spec, as wide as its container.
        width: Width to draw it for, px.
        name: Prefix of its ids, unique in the page.
        title: What it is.
        description: What it shows.
    """
    svg = vl_convert.vegalite_to_svg(
        {**spec, "width": width - 60, "autosize": {"type": "pad"}},
        vl_version=_VEGA_LITE,
        allowed_base_urls=[],
    )
    return standing(svg, name=name, title=title, description=description)


def standing(svg: str, *, name: str, title: str, description: str) -> str:
    """Return an SVG that fits its container and says what it is.

    Args:
        svg: As drawn.
        name: Prefix of its ids.
        title: What it is.
        description: What it shows.
    """
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _LINK)
    root = ET.fromstring(svg)  # noqa: S314 - written by ourselves
    renamed = {}
    for one in root.iter():
        # Marks that speak one by one are noise next to a title, a description and a table.
        for spoken in ("role", "aria-label", "aria-roledescription", "aria-hidden"):
            one.attrib.pop(spoken, None)
        if (old := one.get("id")) is not None:
            renamed[old] = f"{name}-{old}"
            one.set("id", renamed[old])
    for one in root.iter():
        for key, value in one.attrib.items():
            for old, new in renamed.items():
                if f"url(#{old})" in value:
                    one.set(key, value.replace(f"url(#{old})", f"url(#{new})"))
    width, height = root.get("width", "0"), root.get("height", "0")
    if root.get("viewBox") is None:
        root.set("viewBox", f"0 0 {width} {height}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        said = ET.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{tag}"})
        said.text = text
        root.insert(place, said)
    return ET.tostring(root, encoding="unicode")
