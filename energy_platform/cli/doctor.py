"""``energy-platform doctor``: the verdict, what needs a person, and by ``--verbose`` all checks."""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from energy_platform.cli.progress import working
from energy_platform.cli.screen import Section, counted, fitted
from energy_platform.doctor import Level, run_checks
from energy_platform.installation.env_file import EnvFileError, env_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from energy_platform.doctor import CheckResult

_STYLES: Final[dict[Level, str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}

_BY_WEIGHT: Final[tuple[Level, ...]] = ("fail", "warn", "ok")


def run_doctor(
    console: Console, *, as_json: bool = False, retry_login: bool = False, verbose: bool = False
) -> int:
    """Check the installation and print what was found.

    Args:
        console: Where to.
        as_json: One JSON object in place of text.
        retry_login: Whether to try logins that rest because they were refused.
        verbose: Every check, also those that are fine.

    Returns:
        1 when anything fails, else 0: a warning keeps nothing from working.
    """
    names = list(os.environ)
    with suppress(EnvFileError):  # the check of the settings says so
        names += env_file().values
    found: list[CheckResult] = []
    with working("checking the installation") as say:
        for finding in run_checks(names=names, retry_login=retry_login):
            found.append(finding)
            say(f"checking the installation: {len(found)} checks done")
    levels: Counter[Level] = Counter(one.level for one in found)
    if as_json:
        findings = [one.as_dict() for one in found]
        print(json.dumps({"findings": findings, "counts": dict(levels)}, indent=2))  # noqa: T201
    else:
        _print(console, found, levels=levels, verbose=verbose)
    return 1 if levels["fail"] else 0


def _print(
    console: Console,
    found: Sequence[CheckResult],
    *,
    levels: Mapping[Level, int],
    verbose: bool,
) -> None:
    console.print(
        _verdict(levels),
        style=next((_STYLES[one] for one in _BY_WEIGHT if levels[one]), ""),
        highlight=False,
        soft_wrap=True,
    )
    by_weight = [one for level in _BY_WEIGHT[:-1] for one in found if one.level == level]
    bad = [Section(title=_line(one), style=_STYLES[one.level]) for one in by_weight]
    fine = [_line(one) for one in found if one.level == "ok"]
    if verbose:
        shown = [*bad, *(Section(title=line, style=_STYLES["ok"]) for line in fine)]
    else:
        # As lines of one section, so that what has no room is counted.
        (section,) = fitted([Section(title="", lines=[one.title for one in bad])], taken=1)
        styles = {_line(one): _STYLES[one.level] for one in by_weight}
        shown = [Section(title=line, style=styles.get(line, "")) for line in section.lines]
        if fine:
            shown.append(
                Section(title=f"ok    {counted(len(fine), 'check')}; --verbose lists them")
            )
    for one in shown:
        level, rest = one.title[:4], one.title[4:]
        console.print(level, style=one.style, end="")
        console.print(rest, markup=False, highlight=False, soft_wrap=True)


def _verdict(levels: Mapping[Level, int]) -> str:
    failures, warnings = counted(levels["fail"], "failure"), counted(levels["warn"], "warning")
    counts = f"{failures}, {warnings}, {levels['ok']} ok"
    if levels["fail"]:
        return f"Something does not work: {counts}"
    if levels["warn"]:
        return f"All works, something is worth a look: {counts}"
    return f"All is well: {counts}"


def _line(finding: CheckResult) -> str:
    about = f"{finding.check} {finding.subject}".strip()
    advice = f" → {finding.advice}" if finding.advice and finding.level != "ok" else ""
    return f"{finding.level:<4}  {about:<24}  {finding.message}{advice}"
