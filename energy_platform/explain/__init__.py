"""Why a day's figure is what it is: the chain from raw rows to the amount of a local day."""

from energy_platform.explain.chain import ExplainError, explain
from energy_platform.explain.explanation import (
    CarriedReading,
    Contribution,
    Explanation,
    RawRow,
    Sample,
    Step,
)

__all__ = [
    "CarriedReading",
    "Contribution",
    "ExplainError",
    "Explanation",
    "RawRow",
    "Sample",
    "Step",
    "explain",
]
