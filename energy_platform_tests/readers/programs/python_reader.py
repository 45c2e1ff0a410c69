"""One Python tool kept open: for each line on standard input, its answer on standard output.

Usage: ``python python_reader.py TOOL DATABASE MARTS QUERY…``, see ``TOOLS``. An answer is the rows
of the queries one after the other, values separated by commas, or ``error: `` and the reason.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Answer = Callable[[], Sequence[Any]]


def duckdb_client(database: str, _: str, queries: Sequence[str]) -> Answer:
    """DuckDB's own client; the connection stays open."""
    import duckdb

    connection = duckdb.connect(database, read_only=True)
    return lambda: [v for q in queries for v in connection.execute(q).fetchone() or ()]


def pandas_frames(database: str, _: str, queries: Sequence[str]) -> Answer:
    """Data frames of pandas from a connection that stays open."""
    import duckdb

    connection = duckdb.connect(database, read_only=True)
    return lambda: [v for q in queries for v in connection.sql(q).df().iloc[0].tolist()]


def sqlalchemy_engine(database: str, _: str, queries: Sequence[str]) -> Answer:
    """SQLAlchemy with duckdb-engine, as Superset has it; the engine keeps its pool."""
    import sqlalchemy as sa

    engine = sa.create_engine(f"duckdb:///{database}", connect_args={"read_only": True})

    def answer() -> list[Any]:
        with engine.connect() as connection:
            return [v for q in queries for v in connection.execute(sa.text(q)).one()]

    return answer


def polars_scan(_: str, marts: str, __: Sequence[str]) -> Answer:
    """Polars on the Parquet files themselves."""
    import polars as pl

    def answer() -> list[Any]:
        about = pl.scan_parquet(f"{marts}/about/part.parquet")
        build = about.filter(pl.col("key") == "version").select("value").collect().item()
        version = pl.col("version")
        facts = pl.scan_parquet(
            f"{marts}/fct_energy_15min/month=*/*.parquet", hive_partitioning=True
        )
        found = facts.filter(pl.col("month") == "2026-02").select(
            pl.len(), version.min().alias("least"), version.max().alias("most")
        )
        return [build, *found.collect().row(0)]

    return answer


def pyarrow_dataset(_: str, marts: str, __: Sequence[str]) -> Answer:
    """A dataset of pyarrow on the Parquet files themselves, looked up again for each question."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    def answer() -> list[Any]:
        about = {
            one["key"]: one["value"]
            for one in pq.read_table(f"{marts}/about/part.parquet").to_pylist()
        }
        facts = ds.dataset(f"{marts}/fct_energy_15min", format="parquet", partitioning="hive")
        table = facts.to_table(columns=["version"], filter=ds.field("month") == "2026-02")
        found = table["version"]
        return [about["version"], len(found), *pc.min_max(found).as_py().values()]

    return answer


TOOLS = {
    "duckdb": duckdb_client,
    "pandas": pandas_frames,
    "sqlalchemy": sqlalchemy_engine,
    "polars": polars_scan,
    "pyarrow": pyarrow_dataset,
}
"""What can be kept open, by name."""


def main() -> None:
    """Answer as long as somebody asks."""
    tool, database, marts, *queries = sys.argv[1:]
    answer = TOOLS[tool](database, marts, queries)
    for _ in sys.stdin:
        try:
            print(*answer(), sep=",", flush=True)
        except Exception as error:  # noqa: BLE001 (whatever it is, the one who asked counts it)
            print("error:", " ".join(str(error).split()), flush=True)


if __name__ == "__main__":
    main()
