"""What each point usually does, learned from its own readings, and what its days were warned of.

An expectation that does not come from the data never fits: a portfolio says every minute, the
history brings every five. And a warning belongs to its day: a run that looks at other days must
neither repeat nor hide it. Both stand in the catalogue; losing it loses no reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from energy_platform.closeable import Closeable
from energy_platform.lake.catalogue_database import CatalogueDatabase, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from energy_platform.lake.lake import Lake

_METADATA: Final = sa.MetaData()

_HABITS: Final = sa.Table(
    "point_habits",
    _METADATA,
    sa.Column("point_id", Text, primary_key=True),
    sa.Column("step_s", sa.Float),
    sa.Column("step_day", Text),
    sa.Column("moved_day", Text),
)

_WARNINGS: Final = sa.Table(
    "day_warnings",
    _METADATA,
    sa.Column("check_name", Text, primary_key=True),
    sa.Column("day", Text, primary_key=True),
    sa.Column("what", Text, nullable=False),
)

HABITS_SCHEMA: Final = pl.Schema(
    {
        "point_id": pl.String(),
        "step_s": pl.Float64(),
        "step_day": pl.String(),
        "moved_day": pl.String(),
    }
)


class PointHabits(Closeable):
    """Habits and warnings of one lake's points; safe with several processes.

    Args:
        lake: The lake; they stand in its catalogue.

    Raises:
        CatalogueError: The catalogue cannot be used.
    """

    def __init__(self, lake: Lake) -> None:
        self._database = CatalogueDatabase(lake.root.parent, _METADATA, url=lake.catalogue_url)
        self._database.open()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def read(self) -> pl.DataFrame:
        """Return ``point_id, step_s, step_day, moved_day`` of every point that was seen."""
        rows = self._database.read(
            lambda connection: [tuple(row) for row in connection.execute(sa.select(_HABITS))]
        )
        return pl.DataFrame(rows, schema=HABITS_SCHEMA, orient="row")

    def learn(self, day: str, habits: pl.DataFrame) -> None:
        """Take over what a day showed of its points; an older day never overrules a newer one.

        Args:
            day: UTC day the habits were seen on.
            habits: ``point_id, step_s`` (null: no regular cadence that day) and ``moved``.
        """
        rows = [
            {
                "point_id": point_id,
                "step_s": step_s,
                "step_day": None if step_s is None else day,
                "moved_day": day if moved else None,
            }
            for point_id, step_s, moved in habits.select("point_id", "step_s", "moved").iter_rows()
        ]
        if not rows:
            return
        self._database.write(lambda connection: _put_habits(connection, rows))

    def judge(self, day: str, found: Mapping[str, str]) -> None:
        """Replace what checks warn of on a day.

        Args:
            day: UTC day that was looked at.
            found: What each check found, by its name; empty text for nothing.
        """
        rows = [
            {"check_name": name, "day": day, "what": what} for name, what in found.items() if what
        ]
        of_day = sa.and_(_WARNINGS.c.day == day, _WARNINGS.c.check_name.in_(list(found)))

        def put(connection: sa.Connection) -> None:
            connection.execute(sa.delete(_WARNINGS).where(of_day))
            if rows:
                connection.execute(sa.insert(_WARNINGS), rows)

        self._database.write(put)

    def warnings(self, *, since: str) -> dict[str, dict[str, str]]:
        """Return what checks warn of on days from ``since`` on, by check and day."""
        query = (
            sa.select(_WARNINGS)
            .where(_WARNINGS.c.day >= since)
            .order_by(_WARNINGS.c.check_name, _WARNINGS.c.day)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        found: dict[str, dict[str, str]] = {}
        for name, day, what in rows:
            found.setdefault(name, {})[day] = what
        return found

    def forget(self, *, before: str) -> None:
        """Forget warnings of days before a day."""
        old = sa.delete(_WARNINGS).where(_WARNINGS.c.day < before)
        self._database.write(lambda connection: connection.execute(old))


def _put_habits(connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Write what a day showed of points over what older days did."""
    # Both have the clause, each in a dialect of its own.
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    put = dialect.insert(_HABITS)
    old, new = _HABITS.c, put.excluded
    is_newer = sa.and_(
        new.step_day.is_not(None), new.step_day >= sa.func.coalesce(old.step_day, "")
    )
    put = put.on_conflict_do_update(
        index_elements=["point_id"],
        set_={
            "step_s": sa.case((is_newer, new.step_s), else_=old.step_s),
            "step_day": sa.case((is_newer, new.step_day), else_=old.step_day),
            "moved_day": sa.case(
                (new.moved_day > sa.func.coalesce(old.moved_day, ""), new.moved_day),
                else_=old.moved_day,
            ),
        },
    )
    connection.execute(put, list(rows))
