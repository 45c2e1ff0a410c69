"""``energy-platform doctor``: what is missing or refused, one line each."""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from energy_platform.doctor import Level, run_checks
from energy_platform.installation.env_file import EnvFileError, env_file

if TYPE_CHECKING:
    from rich.console import Console

_STYLES: Final[dict[Level, str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def run_doctor(console: Console, *, as_json: bool = False, retry_login: bool = False) -> int:
    """Check the installation and print what was found.

    Returns:
        1 when anything fails, else 0: a warning keeps nothing from working.
    """
    names = list(os.environ)
    with suppress(EnvFileError):  # the check of the settings says so
        names += env_file().values
    levels: Counter[Level] = Counter()
    found = []
    for finding in run_checks(names=names, retry_login=retry_login):
        levels[finding.level] += 1
        found.append(finding.as_dict())
        if as_json:
            continue
        about = f"{finding.check} {finding.subject}".strip()
        advice = f" → {finding.advice}" if finding.advice and finding.level != "ok" else ""
        console.print(f"{finding.level:<4}", style=_STYLES[finding.level], end="  ")
        console.print(
            f"{about:<24}  {finding.message}{advice}", markup=False, highlight=False, soft_wrap=True
        )
    if as_json:
        print(json.dumps({"findings": found, "counts": dict(levels)}, indent=2))  # noqa: T201
    else:
        console.print(
            f"{levels['ok']} ok, {levels['warn']} warnings, {levels['fail']} failures",
            highlight=False,
        )
    return 1 if levels["fail"] else 0
