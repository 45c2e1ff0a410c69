"""The part of a point's id that names a SoData service: its triple as one text."""

from __future__ import annotations

import polars as pl

from energy_platform.identity import escaped


def socomec_key(item_type: str, item_index: str, service_id: str) -> str:
    """Return a service triple as one key; parts with a bar are escaped behind a third bar.

    >>> socomec_key("Global", "0", "140100")
    'Global|0|140100'
    >>> socomec_key("A|B", "0", "1")
    '|A%7CB|0|1'
    """
    chunks = (item_type, item_index, service_id)
    if any("|" in chunk for chunk in chunks):
        return "|" + "|".join(escaped(chunk, "|") for chunk in chunks)
    return "|".join(chunks)


def socomec_keys(raw: pl.DataFrame) -> pl.Series:
    """Return :func:`socomec_key` of rows with ``item_type``, ``item_index``, ``service_id``.

    >>> service = {"item_type": "Global", "item_index": "0", "service_id": "140100"}
    >>> socomec_keys(pl.DataFrame([service])).to_list()
    ['Global|0|140100']
    """
    triple = ["item_type", "item_index", "service_id"]
    has_bar = [pl.col(name).str.contains("|", literal=True) for name in triple]
    plain = pl.format("{}|{}|{}", *triple)
    if not raw.select(pl.any_horizontal(one.any() for one in has_bar)).item():
        return raw.select(plain).to_series()
    chunks = (
        pl.col(name)
        .str.replace_all("%", "%25", literal=True)
        .str.replace_all("|", "%7C", literal=True)
        for name in triple
    )
    return raw.select(
        pl.when(pl.any_horizontal(has_bar)).then(pl.format("|{}|{}|{}", *chunks)).otherwise(plain)
    ).to_series()
