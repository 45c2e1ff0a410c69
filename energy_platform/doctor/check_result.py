"""What a check says: one line, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warn", "fail"]
"""Fine; somebody should look; this will not work."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of one check.

    Attributes:
        check: Name of the check, such as ``clock``.
        subject: What was looked at, such as a vendor; empty for the platform itself.
        level: How bad it is.
        message: What was found.
        advice: What to do; empty when there is nothing to do.
    """

    check: str
    subject: str
    level: Level
    message: str
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        return asdict(self)


def ok(check: str, subject: str, message: str) -> CheckResult:
    """Return a finding that all is well."""
    return CheckResult(check=check, subject=subject, level="ok", message=message)


def warn(check: str, subject: str, message: str, advice: str = "") -> CheckResult:
    """Return a finding that somebody should look at."""
    return CheckResult(check=check, subject=subject, level="warn", message=message, advice=advice)


def fail(check: str, subject: str, message: str, advice: str = "") -> CheckResult:
    """Return a finding that keeps the platform from working."""
    return CheckResult(check=check, subject=subject, level="fail", message=message, advice=advice)
