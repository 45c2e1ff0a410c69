"""The process of one run: takes the run's lock over, then is ``dagster api execute_run``.

Usage: ``python -m energy_platform.defs.instance.run_worker <descriptor> api execute_run …``.
"""

from __future__ import annotations

import os
import runpy
import sys


def main() -> None:
    """Keep the lock to this process alone and execute the run."""
    # What the run starts (dbt) must not hold the lock of a run that has died.
    os.set_inheritable(int(sys.argv.pop(1)), False)
    runpy.run_module("dagster", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
