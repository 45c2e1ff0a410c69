"""What is missing, refused or odd about an installation, one line each.

Every check is a function that returns findings; it changes nothing and prints nothing.
"""

from energy_platform.doctor.examine import examine
from energy_platform.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
