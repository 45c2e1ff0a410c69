"""Every tool kept open over publications: ``python -m energy_platform_tests.readers``.

Prints a table and exits 0 when no tool saw an old build, half a file, or an error that a second try
does not mend, and each answers the same of ``energy.duckdb`` in another folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from energy_platform_tests.readers.publications import answers_elsewhere, watch_publications
from energy_platform_tests.readers.tools import TOOLS, Tool, UnavailableError


def main() -> int:
    """Run and print; return 0 when all is as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publications", type=int, default=50)
    parser.add_argument("--tools", nargs="*", default=[one.name for one in TOOLS])
    given = parser.parse_args()
    wanted = [one for one in TOOLS if one.name in given.tools]
    with tempfile.TemporaryDirectory() as folder:
        there = [one for one in wanted if _is_there(one, Path(folder))]
        seen = watch_publications(Path(folder) / "data", there, count=given.publications)
        same = {
            one.name: answers_elsewhere(
                Path(folder) / f"{one.name}-data", Path(folder) / f"{one.name}-elsewhere", one
            )
            for one in there
            # They read the Parquet files, not the one file.
            if one.name not in {"polars", "pyarrow"}
        }
    print("tool        builds seen  answers  stale  torn  errors  lasting  moved file")  # noqa: T201
    bad = len(wanted) - len(there)
    for one in seen:
        before, after = same.get(one.tool, ("-", "-"))
        moved = "-" if before == "-" else "same" if before == after else f"{before} -> {after}"
        print(  # noqa: T201
            f"{one.tool:<11} {len(one.builds):>11} {one.answers:>8} {one.stale:>6} {one.torn:>5} "
            f"{one.errors:>7} {one.lasting:>8}  {moved}"
        )
        bad += bool(one.stale or one.torn or one.lasting or before != after)
    for reason in sorted({reason for one in seen for reason in one.reasons}):
        print(f"  {reason}")  # noqa: T201
    return int(bad > 0)


def _is_there(tool: Tool, folder: Path) -> bool:
    try:
        tool.command(folder, folder, ())
    except UnavailableError as error:
        print(f"{tool.name.upper()} NOT TESTED: {error}")  # noqa: T201
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
