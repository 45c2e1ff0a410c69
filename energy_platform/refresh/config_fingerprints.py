"""Digests of the settings that shaped a day: its config fingerprints.

A day's config fingerprint hashes the settings of the points present in that day, and the
corrections overlapping it, cut to the day. It goes into the fingerprint of the day's files. So an
edited point makes exactly the days stale in which it occurs, a new point those in which it was
unknown, and a new site name none.

Which points occur in a day is kept once per distinct set, named by its digest, in
``<lake>/.points``; the day's footer holds the name. Next to them lies a cache of the fingerprints
computed for the portfolio seen last; it saves work, and may be deleted.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.lake.digests import digest_of
from energy_platform.lake.files import staged
from energy_platform.schemas import INSTANT, VIRTUAL
from energy_platform.transforms.virtual import (
    SHORTEST_STEP,
    Summand,
    VirtualEnergy,
    VirtualPower,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Point, Portfolio
    from energy_platform.transforms.policy import CounterPolicy

Purpose = Literal["readings", "energy"]
"""The two uses of the portfolio: validating readings, and making energy of them."""

READING_COLUMNS: Final = (
    "point_id",
    "quantity",
    "unit",
    "kind",
    "sign",
    "maximum",
    "rated_capacity_wh",
)
"""All settings of a point that validating readings is given, so all that makes its days stale."""

ENERGY_COLUMNS: Final = (
    "point_id",
    "quantity",
    "unit",
    "kind",
    "energy_from_power",
    "every_s",
    "width_s",
    "stamp",
    "timezone",
)
"""All settings of a point that making energy is given, next to its policy."""

_CACHE: Final = "fingerprints.json"


@dataclass(frozen=True, kw_only=True)
class Window:
    """A value correction, or the part of it that lies in a day.

    Attributes:
        start: First instant, None without a bound.
        end: First instant after it, None without a bound.
    """

    point_id: str
    start: datetime | None
    end: datetime | None
    factor: float | None
    offset: float | None
    drop: bool
    reason: str

    def cut(self, *, start: datetime, end: datetime) -> Window | None:
        """Return the part inside ``[start, end)``, unbounded where it covers an edge."""
        if (self.start is not None and self.start >= end) or (
            self.end is not None and self.end <= start
        ):
            return None
        return replace(
            self,
            start=None if self.start is None or self.start <= start else self.start,
            end=None if self.end is None or self.end >= end else self.end,
        )


class VirtualPoints(NamedTuple):
    """The virtual points of a portfolio, as they are computed."""

    energies: tuple[VirtualEnergy, ...]
    powers: tuple[VirtualPower, ...]

    @classmethod
    def of(cls, portfolio: Portfolio) -> VirtualPoints:
        """Return those of a portfolio, in the order of their ids."""
        points = portfolio.virtual_points
        return cls(
            energies=tuple(
                VirtualEnergy(one.point_id, _summands(one), one.constant_w)
                for one in points
                if one.is_energy
            ),
            powers=tuple(
                VirtualPower(
                    one.point_id,
                    one.quantity,
                    _summands(one),
                    one.constant_w,
                    one.every or SHORTEST_STEP,
                )
                for one in points
                if not one.is_energy
            ),
        )

    def digest(self) -> str:
        """Return a digest of all that shapes their figures; empty where there are none."""
        return digest_of(repr(tuple(self))) if self.energies or self.powers else ""


def _summands(point: Point) -> tuple[Summand, ...]:
    return tuple(Summand(point.point_id, leaf.point_id, leaf.factor) for leaf in point.leaves)


class ConfigFingerprints:
    """The config fingerprints of one portfolio.

    Args:
        portfolio: The portfolio as it is now.
        lake: Where the sets of points lie.
    """

    def __init__(self, portfolio: Portfolio, *, lake: Lake) -> None:
        self._portfolio = portfolio
        self._sets = PointSetStore(lake)
        # What is computed from other points is neither validated nor counted.
        frame = portfolio.points_frame().filter(pl.col("vendor") != VIRTUAL)
        self.virtual: Final = VirtualPoints.of(portfolio)
        self.points: Final = frame.select(READING_COLUMNS)
        self.states: Final = portfolio.states_frame()
        # Only increments need the expected period; for others it is mere expectation.
        self.energy_points: Final = (
            frame.join(
                portfolio.increments_frame(), on="point_id", how="left", maintain_order="left"
            )
            .select(ENERGY_COLUMNS)
            .filter(pl.col("kind").is_in(["register", "increment"]) | pl.col("energy_from_power"))
            .with_columns(every_s=pl.when(pl.col("kind") == "increment").then("every_s"))
        )
        self._windows = [
            Window(**row) for row in portfolio.corrections_frame().iter_rows(named=True)
        ]
        self._policy_bounds = {
            (point_id, correction.start, correction.end)
            for correction in portfolio.corrections
            if correction.policy is not None
            for point_id in correction.points
        } | {(one.point_id, one.start, one.end) for one in portfolio.accepted}
        self._bases: dict[Purpose, pl.DataFrame] = {
            "readings": self._reading_bases(),
            "energy": self._energy_bases(),
        }
        self._cache = _FingerprintCache(lake.root / ".points" / _CACHE, portfolio=self._digest())

    def corrections(self, day: str) -> pl.DataFrame:
        """Return the value corrections that touch a day, cut to it, in the portfolio's order."""
        schema = {
            "point_id": pl.String(),
            "start": INSTANT,
            "end": INSTANT,
            "factor": pl.Float64(),
            "offset": pl.Float64(),
            "drop": pl.Boolean(),
            "reason": pl.String(),
        }
        return pl.DataFrame([vars(window) for window in self._cut(day)], schema=schema)

    def policies(self, day: str) -> dict[str, CounterPolicy]:
        """Return the policy of every point that may become energy, as it holds on a day."""
        found = {
            point_id: self._portfolio.points[point_id].policy
            for point_id in self.energy_points["point_id"]
        }
        for point_id in self._policy_points(day):
            found[point_id] = self._portfolio.policy_on(point_id, day=day)
        return found

    def name_of(self, points: pl.Series) -> str:
        """Keep a set of points; return its name for the footer."""
        return self._sets.keep(points)

    def fingerprint(self, purpose: Purpose, *, day: str, points: str) -> str:
        """Return the config fingerprint of a day.

        Args:
            purpose: What the settings are used for.
            day: Partition key.
            points: Name of the set of points that occur in the day.

        Raises:
            UnknownPointSetError: The set is not kept any more; keep it again.
        """
        touching = self._touching(purpose, day=day)
        key = f"{purpose} {points} {digest_of(repr(touching)) if touching else ''}"
        known = self._cache.get(key)
        if known is None:
            known = self._fingerprint(purpose, points=points, touching=touching)
            self._cache.add(key, known)
        return known

    def is_known_fresh(self, version: int, *, rules: str) -> bool:
        """Whether a lake was found fresh at a version, with the same portfolio and rules."""
        return self._cache.fresh == self._fresh(version, rules=rules)

    def note_fresh(self, version: int, *, rules: str) -> None:
        """Remember for the next process that a lake was found fresh at a version."""
        self._cache.fresh = self._fresh(version, rules=rules)

    def save(self) -> None:
        """Write the cache for the next process."""
        self._cache.save()

    def _fresh(self, version: int, *, rules: str) -> str:
        # Policies that corrections change stand in no base.
        policies = repr((self._portfolio.corrections, self._portfolio.accepted))
        return f"{version} {digest_of(policies + rules + self.virtual.digest())}"

    def forget_sets_except(self, names: Iterable[str]) -> None:
        """Remove the sets that no day names any more."""
        self._sets.prune(set(names))

    def _fingerprint(
        self, purpose: Purpose, *, points: str, touching: list[tuple[str, str]]
    ) -> str:
        members = self._sets.read(points)
        digest = hashlib.blake2b(digest_size=16)
        found = members.to_frame("point_id").join(
            self._bases[purpose], on="point_id", how="left", maintain_order="left"
        )
        lines = found.select(
            pl.concat_str("point_id", pl.col("base").fill_null("?"), separator="=").str.join("\n")
        )
        digest.update(lines.item().encode() if members.len() else b"")
        present = set(members) if touching else set()
        if own := [entry for entry in touching if entry[0] in present]:
            digest.update(repr(own).encode())
        return digest.hexdigest()

    def _touching(self, purpose: Purpose, *, day: str) -> list[tuple[str, str]]:
        """Return, in order, what the corrections of a day say: point and text."""
        if purpose == "readings":
            return sorted(
                ((window.point_id, repr(window)) for window in self._cut(day)),
                key=lambda entry: entry[0],
            )
        return [
            (point_id, self._portfolio.policy_on(point_id, day=day).stamp())
            for point_id in self._policy_points(day)
        ]

    def _cut(self, day: str) -> list[Window]:
        start, end = day_bounds(day)
        return [cut for w in self._windows if (cut := w.cut(start=start, end=end)) is not None]

    def _policy_points(self, day: str) -> list[str]:
        start, end = day_bounds(day)
        return sorted(
            {
                point_id
                for point_id, first, last in self._policy_bounds
                if (first is None or first < end) and (last is None or last > start)
            }
        )

    def _reading_bases(self) -> pl.DataFrame:
        states: dict[str, list[tuple[object, ...]]] = {}
        for point_id, *state in self.states.sort("point_id", "text").iter_rows():
            states.setdefault(point_id, []).append(tuple(state))
        return _bases(
            (row[0], repr((row, states.get(row[0], [])))) for row in self.points.iter_rows()
        )

    def _energy_bases(self) -> pl.DataFrame:
        return _bases(
            (row[0], repr((row, self._portfolio.points[row[0]].policy.stamp())))
            for row in self.energy_points.iter_rows()
        )

    def _digest(self) -> str:
        parts = [
            *(",".join(base["point_id"] + "=" + base["base"]) for base in self._bases.values()),
            repr(self._windows),
        ]
        return digest_of("\n".join(parts))


class UnknownPointSetError(LookupError):
    """A footer names a set of points that is not kept any more."""


class PointSetStore:
    """The distinct sets of points that occur in the days, each kept once."""

    def __init__(self, lake: Lake) -> None:
        self._folder = lake.root / ".points"

    def keep(self, points: pl.Series) -> str:
        """Keep a set; return its name."""
        members = points.unique().sort().rename("point_id")
        name = digest_of("\n".join(members))
        path = self._path(name)
        if not path.exists():
            with staged(path) as target:
                members.to_frame().write_parquet(target)
        return name

    def read(self, name: str) -> pl.Series:
        """Return the members of a set, sorted.

        Raises:
            UnknownPointSetError: No such set is kept, or its file is damaged.
        """
        try:
            return pl.read_parquet(self._path(name))["point_id"]
        except FileNotFoundError as error:
            raise UnknownPointSetError(name) from error
        except (pl.exceptions.PolarsError, OSError) as error:
            self._path(name).unlink(missing_ok=True)
            raise UnknownPointSetError(name) from error

    def prune(self, names: set[str]) -> None:
        """Remove all sets but the named ones."""
        for path in self._folder.glob("*.parquet"):
            if path.stem not in names:
                path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.parquet"


class _FingerprintCache:
    """Fingerprints computed before for the same portfolio; computed again when lost or damaged."""

    def __init__(self, path: Path, *, portfolio: str) -> None:
        self._path = path
        self._portfolio = portfolio
        self._known: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self.fresh = ""
        """Version of the lake, and digest of the rules, at which nothing was stale."""
        try:
            said = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return
        if isinstance(said, dict) and said.get("portfolio") == portfolio:
            self._known = dict(said["fingerprints"])
            self.fresh = said.get("fresh", "")

    def get(self, key: str) -> str | None:
        found = self._known.get(key)
        if found is not None:
            self._used[key] = found
        return found

    def add(self, key: str, value: str) -> None:
        self._known[key] = self._used[key] = value

    def save(self) -> None:
        content = {
            "portfolio": self._portfolio,
            "fingerprints": self._used,
            "fresh": self.fresh,
        }
        text = json.dumps(content, sort_keys=True).encode()
        if self._path.exists() and self._path.read_bytes() == text:
            return
        with staged(self._path) as target:
            target.write_bytes(text)


def _bases(texts: Iterable[tuple[str, str]]) -> pl.DataFrame:
    rows = [(point_id, digest_of(text)) for point_id, text in texts]
    return pl.DataFrame(rows, schema={"point_id": pl.String(), "base": pl.String()}, orient="row")
