"""What is stale, what a build rebuilds, and when it counts as finished.

The order makes every crash harmless: the days a build will touch are noted before dbt runs, and
forgotten only after its tests passed. A build that was killed leaves them noted, and the next one
rebuilds them together with its own; the published file changes by a single rename.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import duckdb

from energy_platform.identity import device_of
from energy_platform.memory import duckdb_limit
from energy_platform.sources.registry import sources
from energy_platform.warehouse.affected import CoveringFile, find_affected, overlapping
from energy_platform.warehouse.build_info import build_info
from energy_platform.warehouse.build_state import BuildState
from energy_platform.warehouse.dbt_session import DbtSession
from energy_platform.warehouse.dims import (
    changed_sites,
    delivery_rows,
    device_fingerprints,
    site_devices,
    site_fingerprints,
)
from energy_platform.warehouse.errors import OutOfMemoryError, WarehouseError
from energy_platform.warehouse.export import MartExport, exported_about
from energy_platform.warehouse.handover import (
    days_handed_over,
    hand_over,
    hand_over_slice,
    write_known_points,
)
from energy_platform.warehouse.inputs import (
    Input,
    link,
    reset_links,
    rows_by_day,
    share_links,
    spans,
    survey,
)
from energy_platform.warehouse.live_views import LIVE_FILE, is_out_of_place
from energy_platform.warehouse.publication import (
    count_rows,
    published_info,
    without_hints,
)
from energy_platform.warehouse.publisher import Publisher
from energy_platform.warehouse.restatement_reasons import note_basis
from energy_platform.warehouse.restatements import RESTATEMENTS_FILE, Restatements
from energy_platform.warehouse.results import BuildPlan, Built, Prepared
from energy_platform.warehouse.selection import (
    OF_LEDGER,
    build_command,
    leaves_the_ledger,
    slice_command,
    still_empty,
    unchanged,
    without_points,
    without_rows,
)
from energy_platform.warehouse.slices import Slice, rows_within, slices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import polars as pl

    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Vendor

_ATTEMPTS: Final = 5


def _late_days() -> dict[Vendor, int]:
    """Return the days that each source's daily run reads again, unless told otherwise."""
    return {
        name: source.settings.model_fields["late_days"].default
        for name, source in sources().items()
    }


@dataclass(frozen=True, kw_only=True)
class Warehouse(Publisher):
    """The work file of one installation, built by dbt, and what is published of it.

    Attributes:
        dbt_project_dir: The dbt project, its profile next to it.
        late_days: Days that each vendor's daily run reads again.
        most_rows: Rows of day files that are rebuilt at once; None: as many as fit into memory.
    """

    dbt_project_dir: Path
    late_days: Mapping[Vendor, int] = field(default_factory=_late_days)
    most_rows: int | None = None

    @property
    def folder(self) -> Path:
        """The private folder of the build."""
        return self.data_dir / "warehouse"

    @property
    def target_path(self) -> Path:
        """Where dbt leaves its artifacts."""
        return self.folder / "target"

    def env(self) -> dict[str, str]:
        """Return what dbt needs in its environment; the same for every build."""
        return {
            "ENERGY_PLATFORM_WAREHOUSE": str(self.folder.absolute()),
            "ENERGY_PLATFORM_WORK_FOLDER": str(self.folder.absolute()),
            "ENERGY_PLATFORM_DUCKDB_MEMORY": duckdb_limit(self.memory),
            "DBT_PROFILES_DIR": str(self.dbt_project_dir),
            "DBT_PROJECT_DIR": str(self.dbt_project_dir),
            "DBT_TARGET_PATH": str(self.target_path.absolute()),
            "DBT_LOG_PATH": str((self.folder / "logs").absolute()),
            # They prove the rules, not the data: `make test` runs them.
            "DBT_EXCLUDE_RESOURCE_TYPES": "unit_test",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_USE_COLORS": "false",
            "DBT_LOG_LEVEL_FILE": "info",
            "DO_NOT_TRACK": "1",
        }

    def plan(self, portfolio: Portfolio, *, delivery: pl.DataFrame | None = None) -> BuildPlan:
        """Say whether the published file follows from the lake, the portfolio and the ledger.

        Reads footers, the dimensions and a few rows of the published file; takes no lock.

        Args:
            portfolio: The portfolio as it is now.
            delivery: The ledger's frame; when it is not given, the ledger is not looked at.

        Raises:
            LakeError: A day file is damaged.
        """
        published = without_hints(exported_about(self.marts_folder))
        if not published:
            return BuildPlan(stale=True, why=("nothing is published",))
        now = self._build_info(portfolio, inputs=survey(self.lake), delivery=delivery)
        watched = {
            "inputs": "day files changed",
            "portfolio": "the portfolio changed",
            "reach": "raw days reach further",
            "rules": "the rules changed",
            "inventory": "the inventories changed",
        }
        if delivery is not None:
            watched["delivery"] = "the ledger changed"
        why = tuple(
            text
            for key, text in watched.items()
            if now[f"{key}_digest"] != published.get(f"{key}_digest")
        )
        if not self.live_file.exists() or is_out_of_place(self.live_file):
            why += (f"{LIVE_FILE} is missing or shows another folder",)
        if published_info(self.published_file) != published and self.is_copy_due():
            why += (f"{self.published_file.name} is due to be copied",)
        return BuildPlan(stale=bool(why), why=why)

    def about_now(
        self, portfolio: Portfolio, *, delivery: pl.DataFrame | None = None
    ) -> dict[str, str]:
        """Return what a file published now would say of what it rests on.

        Raises:
            LakeError: A day file is damaged.
        """
        return self._build_info(portfolio, inputs=survey(self.lake), delivery=delivery)

    def prepare(self, portfolio: Portfolio, *, delivery: pl.DataFrame | None = None) -> Prepared:
        """Make everything ready for ``dbt build``; hold ``locked()`` until ``commit``.

        Links the day files overlapping the affected days, writes the dimensions, notes in the work
        file what the build will rebuild, and hands over the first slice of it, which mostly is all
        of it. A build that was killed goes on with the days that it has left.

        Args:
            portfolio: The portfolio as it is now.
            delivery: The ledger's frame with the columns ``DELIVERY``; None: no stream.

        Raises:
            WarehouseError: Day files keep changing, or the work file cannot be opened.
            LakeError: A day file is damaged.
        """
        with self.locked():
            self.folder.mkdir(parents=True, exist_ok=True)
            for _ in range(_ATTEMPTS):
                prepared = self._prepare(portfolio, delivery=delivery)
                if prepared is not None:
                    return prepared
        raise WarehouseError(
            f"{self.lake.root}: day files were rewritten during {_ATTEMPTS} attempts to link them; "
            "run the build again when the refresh is over"
        )

    def build(
        self,
        portfolio: Portfolio,
        *,
        delivery: pl.DataFrame | None = None,
        on_slice: Callable[[str], None] | None = None,
    ) -> Built:
        """Prepare, run ``dbt build`` in a process of its own, and take it as finished.

        Args:
            portfolio: The portfolio as it is now.
            delivery: The ledger's frame with the columns ``DELIVERY``; None: no stream.
            on_slice: Told of each slice that is finished, where there are several.

        Raises:
            WarehouseError: dbt or one of its tests failed; what was published stays.
        """
        with self.locked():
            prepared = self.prepare(portfolio, delivery=delivery)
            with self._session(prepared) as dbt:
                self._build_first_slices(prepared, dbt=dbt, on_slice=on_slice)
                if not prepared.is_empty:
                    dbt.run(*build_command(prepared.left_out))
            self.commit()
            rows = self.rows()
        return Built(prepared=prepared, rows=rows)

    def rows(self) -> dict[str, int]:
        """Return the rows of every table that people read, as the newest build left them."""
        with self.locked(), self.opened() as db:
            return count_rows(db)

    def build_first_slices(
        self, prepared: Prepared, *, on_slice: Callable[[str], None] | None = None
    ) -> None:
        """Build all slices but the last, which is handed over: ``dbt build`` and ``commit`` follow.

        Each slice is kept as soon as its tests passed. One that does not fit into memory after all
        is halved.

        Args:
            prepared: The build.
            on_slice: Told of each slice that is finished.

        Raises:
            WarehouseError: dbt or one of its tests failed, or a single day does not fit.
        """
        with self.locked(), self._session(prepared) as dbt:
            self._build_first_slices(prepared, dbt=dbt, on_slice=on_slice)

    def _session(self, prepared: Prepared) -> DbtSession:
        return DbtSession(env=prepared.env, folder=self.folder, memory=self.memory)

    def _build_first_slices(
        self, prepared: Prepared, *, dbt: DbtSession, on_slice: Callable[[str], None] | None
    ) -> None:
        todo = [*prepared.slices]
        empty = prepared.empty
        done = 0
        while len(todo) > 1:
            one = todo[0]
            self._hand_over_slice(prepared, one)
            try:
                dbt.run(*slice_command(prepared.left_out, empty=empty, is_first=done == 0))
            except OutOfMemoryError:
                halves = one.halves()
                if len(halves) == 1:
                    raise
                todo[:1] = halves
                continue
            with self.opened() as db:
                MartExport(db, folder=self.marts_folder).note_rebuilt(one.days)
                Restatements(db, folder=self.journal_folder).note_rebuilt(one.days)
                BuildState(db).finish_days(one.days)
                empty = still_empty(empty, rows=count_rows(db))
            done += 1
            del todo[0]
            if on_slice is not None:
                on_slice(f"slice {done} of {done + len(todo)}: {one}, {one.rows:,} rows")
        if done:
            self._hand_over_slice(prepared, todo[0])

    def commit(self) -> None:
        """Take the prepared build as finished, after dbt and its blocking tests passed.

        Raises:
            WarehouseError: Slices are left, which were not built.
        """
        with self.locked(), self.opened() as db:
            state = BuildState(db)
            days = days_handed_over(self.folder)
            export = MartExport(db, folder=self.marts_folder)
            export.note_rebuilt(days)
            now = datetime.now(tz=UTC)
            export.note_built(now=now)
            journal = Restatements(db, folder=self.journal_folder)
            journal.note_rebuilt(days)
            journal.note_finished(now=now)
            state.finish_days(days)
            if left := state.dirty_periods():
                raise WarehouseError(
                    f"{sum(map(len, left.values()))} local days are not rebuilt yet; "
                    "run the build again, it goes on with them"
                )
            state.finish()
        for folder in (self._inputs, self._planned):
            shutil.rmtree(folder, ignore_errors=True)

    def _build_info(
        self,
        portfolio: Portfolio,
        *,
        inputs: Mapping[tuple[str, str], Input],
        delivery: pl.DataFrame | None,
    ) -> dict[str, str]:
        return build_info(
            self.lake,
            portfolio,
            inputs=inputs,
            delivery=delivery,
            late_days=self.late_days,
            dbt_project_dir=self.dbt_project_dir,
        )

    def _prepare(self, portfolio: Portfolio, *, delivery: pl.DataFrame | None) -> Prepared | None:
        """Prepare once; None when a day file was rewritten meanwhile."""
        inputs = survey(self.lake)
        info = self._build_info(portfolio, inputs=inputs, delivery=delivery)
        reset_links(self._planned)
        why = self._why_full(portfolio, info=info)
        if why:
            _remove_database(self.work_file)
        with self.opened() as db:
            state = BuildState(db)
            resumed = state.is_under_way()
            before = state.input_files()
            changed = sorted(
                key for key in inputs.keys() | before.keys() if inputs.get(key) != before.get(key)
            )
            state.note_inputs(inputs.values())
            present = [inputs[key] for key in changed if key in inputs]
            if link(self.lake, present, folder=self._planned):
                return None
            spans(db, present, folder=self._planned)
            state.note_extents(changed)
            sites = site_fingerprints(portfolio)
            devices = device_fingerprints(portfolio)
            state.note_state(build_info=info, devices=devices | sites)
            affected = find_affected(
                state,
                portfolio=portfolio,
                changed={key: key in inputs and key in before for key in changed},
                build_info=info,
                sites=changed_sites(state.device_fingerprints(), sites),
                full=bool(why),
            )
            days = affected.all_days
            empty = still_empty(
                (*without_rows(before.values(), inputs.values()), *without_points(portfolio)),
                rows=count_rows(db),
            )
            same = unchanged(
                state.build_info(),
                info,
                has_days=any(days.values()),
                has_views=state.reads_from(self.folder),
            )
            left_out = () if why or resumed else (*same, *empty)
            # Rows of the ledger alone need no model: dbt takes seconds for them.
            delivery_replaced = leaves_the_ledger(left_out) and state.replace_delivery(
                delivery_rows(delivery), digest=info["delivery_digest"]
            )
            if delivery_replaced:
                left_out = (*left_out, *OF_LEDGER)
            known = [
                CoveringFile(inputs[table, day], span)
                for table, day, span in state.file_spans()
                if (table, day) in inputs
            ]
            files = overlapping(known, days)
            if link(self.lake, (one.file for one in files), folder=self._planned):
                return None
            state.begin(days)
            note_basis(db, lake=self.lake, portfolio=portfolio, fingerprints=devices, info=info)
            journal = Restatements(db, folder=self.journal_folder)
            journal.hand_over(self.folder / RESTATEMENTS_FILE)
            hand_over(
                self.folder,
                db,
                lake=self.lake,
                portfolio=portfolio,
                info=info,
                vendors=self.late_days,
                delivery=delivery,
                days=days,
            )
            points = state.known_points()
            write_known_points(self.folder, portfolio, known=points)
        prepared = Prepared(
            env=self.env(),
            full=bool(why),
            why=why,
            resumed=resumed,
            changed=tuple(changed),
            affected={timezone: sorted(some) for timezone, some in sorted(days.items())},
            slices=slices_of(
                affected,
                rows=rows_by_day(inputs.values()),
                most_rows=self.most_rows or rows_within(self.memory),
                known_points=len(points),
            ),
            files=tuple(files),
            left_out=left_out,
            empty=empty,
            delivery_replaced=delivery_replaced,
        )
        self._hand_over_slice(prepared, prepared.slices[0])
        return prepared

    def _hand_over_slice(self, prepared: Prepared, one: Slice) -> None:
        """Let dbt see a slice's days and the files that bear on them, and nothing else."""
        hand_over_slice(self.folder, one)
        files = overlapping(prepared.files, one.days)
        share_links((file.file for file in files), source=self._planned, folder=self._inputs)

    def _why_full(self, portfolio: Portfolio, *, info: Mapping[str, str]) -> tuple[str, ...]:
        """Say why the work file cannot be built on; empty when it can."""
        if not self.work_file.exists():
            return ("no build yet",)
        try:
            with self.opened() as db:
                state = BuildState(db)
                before, old, known = (
                    state.build_info(),
                    state.device_fingerprints(),
                    state.known_points(),
                )
        except duckdb.IOException as error:
            if "lock" in str(error):
                raise WarehouseError(
                    f"{self.work_file} is open in another process; it is private to the platform, "
                    f"read {self.published_file} instead ({error})"
                ) from error
            return (f"the work file cannot be read ({error})",)
        except duckdb.Error as error:
            return (f"the work file cannot be read ({error})",)
        if not before:
            return ("no build has finished yet",)
        if before["rules_digest"] != info["rules_digest"]:
            return ("the rules changed",)
        new = device_fingerprints(portfolio)
        with_data = {device_of(point_id) for point_id in known}
        # A main that never said anything makes the use of its site unknown, on old days too.
        with_data |= site_devices(portfolio, known=known)
        return tuple(
            f"device {device} changed in the portfolio"
            for device in sorted(old.keys() | new.keys())
            if old.get(device) != new.get(device) and device in with_data
        )

    @property
    def _planned(self) -> Path:
        """Links to all day files that the build under way reads."""
        return self.folder / "planned"

    @property
    def _inputs(self) -> Path:
        """Links to those of the slice under way; dbt reads them."""
        return self.folder / "inputs"


def _remove_database(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
