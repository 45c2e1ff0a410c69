"""What is missing, refused or odd about an installation, one line each.

Every check is a function that returns findings; it changes nothing and prints nothing.
"""

from energy_platform.doctor.check_result import CheckResult, Level
from energy_platform.doctor.run_checks import run_checks

__all__ = ["CheckResult", "Level", "run_checks"]
